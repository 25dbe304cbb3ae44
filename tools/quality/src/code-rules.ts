import ts from 'typescript';
import { isCode, isSpec, type Finding, type SourceFile } from './repository-files.js';

export const functionLinesMax = 70;

/** A function fits on one screen. A spec's `describe` is a chapter, not a function. */
export function longFunctions(file: SourceFile): readonly Finding[] {
  return walk(file, (node, source) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined || isChapter(node))
      return undefined;
    const from = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
    const to = source.getLineAndCharacterOfPosition(node.getEnd()).line;
    const lines = to - from + 1;
    return lines > functionLinesMax ? `a function of ${lines} lines, over ${functionLinesMax}` : undefined;
  });
}

/** Imports name the file they mean: a barrel hides the dependency graph and loads all of it. */
export function barrels(file: SourceFile): readonly Finding[] {
  const { path } = file;
  // Rivals have the files that they ask for.
  if (!/^(?:libs|services|tools(?!\/bench\/rivals\/))\/.*\.ts$/.test(path)) return [];
  const { statements } = parse(file);
  const forwards = statements.filter(
    statement => ts.isExportDeclaration(statement) && statement.moduleSpecifier,
  );
  const onlyForwards = statements.length > 1 && forwards.length === statements.length;
  if (!onlyForwards && !/(?:^|\/)index\.ts$/.test(path)) return [];
  return [{ path, line: 1, message: 'a barrel: import the file that you mean' }];
}

const testNames = new Set(['test', 'it', 'describe']);
const partial = new Set(['only', 'skip', 'todo', 'failing']);
const partialWords = /^(?:fdescribe|fit|xdescribe|xit|xtest)$/;

/** A suite runs whole, or it proves nothing. */
export function partialSuites(file: SourceFile): readonly Finding[] {
  if (!isSpec(file.path)) return [];
  return walk(file, node => {
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
      const found = testNames.has(node.expression.text) && partial.has(node.name.text);
      return found ? `${node.expression.text}.${node.name.text} runs a part of the suite` : undefined;
    }
    const called = ts.isCallExpression(node) && ts.isIdentifier(node.expression) ? node.expression.text : '';
    return partialWords.test(called) ? `${called} runs a part of the suite` : undefined;
  });
}

type BannedCall = {
  /** The call as it is written, without its arguments; `new X()` only when it has none. */
  readonly call: string;
  readonly where: RegExp;
  readonly instead: string;
  /** The function that may do it, because that is its subject. */
  readonly unlessIn?: RegExp;
};

/** A file of a deciding service with no role suffix: the same history must give the same answer. */
const pureService = /^services\/(?:registry|scheduling|billing|verification)\/src\/(?!main\.ts$)[^.]+\.ts$/;
const pureLibrary = /^libs\/(?:event-sourcing|matching)\/src\/(?!ids\.ts$)[^.]+\.ts$/;
const replayed = /\.(?:projection|reactor)\.ts$|^libs\/read-models\/(?!.*\.spec\.ts$)/;
const product = /^(?:libs|services)\/(?!.*\.spec\.ts$).*\.ts$/;
const spec = /\.spec\.ts$/;
const library = /^libs\/(?!runtime\/)(?!.*\.spec\.ts$).*\.ts$/;

export const bannedCalls: readonly BannedCall[] = [
  ...[pureService, pureLibrary, replayed].flatMap(where => [
    { call: 'Date.now', where, instead: 'take the time from the command, or recordedAt from the event' },
    { call: 'new Date', where, instead: 'take the time from the command, or recordedAt from the event' },
    {
      call: 'performance.now',
      where,
      instead: 'take the time from the command, or recordedAt from the event',
    },
    { call: 'newId', where, instead: 'make the id at the edge, or use derivedId' },
  ]),
  {
    call: 'Math.random',
    where: product,
    instead: 'newId for ids, a seeded generator for work',
    unlessIn: /jitter|backOff/i,
  },
  ...['log', 'info', 'warn', 'error', 'debug'].map(level => ({
    call: `console.${level}`,
    where: product,
    instead: 'the logger of @astro/runtime/logging',
  })),
  { call: 'process.exit', where: library, instead: 'throw; the service decides when to end' },
  ...['jest.mock', 'jest.unstable_mockModule', 'jest.doMock'].map(call => ({
    call,
    where: spec,
    instead: 'the real server of @astro/devstack',
  })),
  { call: 'eval', where: /./, instead: 'a function' },
  { call: 'new Function', where: /./, instead: 'a function' },
];

/** Calls that have a better replacement where they stand. */
export function replaceableCalls(file: SourceFile): readonly Finding[] {
  const banned = bannedCalls.filter(({ where }) => where.test(file.path));
  if (banned.length === 0) return [];
  return walk(file, (node, source) => {
    const called = callOf(node, source);
    const ban =
      called && banned.find(({ call, unlessIn }) => call === called && !isInside(node, unlessIn, source));
    return ban ? `${ban.call}: use instead: ${ban.instead}` : undefined;
  });
}

function callOf(node: ts.Node, source: ts.SourceFile): string | undefined {
  if (ts.isCallExpression(node)) return node.expression.getText(source);
  if (!ts.isNewExpression(node)) return undefined;
  const name = node.expression.getText(source);
  return name === 'Date' && node.arguments?.length ? undefined : `new ${name}`;
}

/** Whether a function, method or constant around the node has a name like this. */
function isInside(node: ts.Node, name: RegExp | undefined, source: ts.SourceFile): boolean {
  if (!name) return false;
  for (let around = node.parent; !ts.isSourceFile(around); around = around.parent) {
    if (
      ts.isFunctionDeclaration(around) ||
      ts.isMethodDeclaration(around) ||
      ts.isVariableDeclaration(around)
    ) {
      if (name.test(around.name?.getText(source) ?? '')) return true;
    }
  }
  return false;
}

function isChapter(node: ts.Node): boolean {
  const call = node.parent;
  return ts.isCallExpression(call) && /^describe\b/.test(call.expression.getText());
}

function walk(
  file: SourceFile,
  check: (node: ts.Node, source: ts.SourceFile) => string | undefined,
): readonly Finding[] {
  if (!isCode(file.path)) return [];
  const source = parse(file);
  const findings: Finding[] = [];
  const visit = (node: ts.Node): void => {
    const message = check(node, source);
    const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
    if (message) findings.push({ path: file.path, line, message });
    ts.forEachChild(node, visit);
  };
  visit(source);
  return findings;
}

const parse = ({ path, text }: SourceFile): ts.SourceFile =>
  ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
