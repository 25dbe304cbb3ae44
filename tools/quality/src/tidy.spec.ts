import { crashPoints } from '@astro/jetstream/crash-point';
import { describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { bannedCalls, barrels, longFunctions, partialSuites, replaceableCalls } from './code-rules.js';
import { deadFiles } from './dead-files.js';
import { repositoryFiles, type Finding, type SourceFile } from './repository-files.js';
import { leftoverMarks, longFiles, longLines, privateWorkplaces, vagueNames } from './text-rules.js';

type Rule = (file: SourceFile) => readonly Finding[];

const rules = {
  longLines,
  longFiles,
  leftoverMarks,
  vagueNames,
  privateWorkplaces,
  longFunctions,
  barrels,
  partialSuites,
  replaceableCalls,
} satisfies Record<string, Rule>;

describe('this repository', () => {
  const files = repositoryFiles(join(import.meta.dirname, '../../..'));
  const written = ({ path, line, message }: Finding) => `${path}:${line} ${message}`;

  test('is read', () => expect(files.map(file => file.path)).toContain('tools/quality/src/tidy.spec.ts'));

  test.each(Object.entries(rules))('has no %s', (_name, rule) => {
    expect(files.flatMap(file => rule(file)).map(written)).toEqual([]);
  });

  test.each(crashPoints)('passes the crash point %s', point => {
    const passes = ({ path, text }: SourceFile) =>
      path.startsWith('libs/') && text.includes(`crashPoint('${point}')`);
    expect(files.some(passes)).toBe(true);
  });

  test('has no deadFiles', () => expect(deadFiles(files).map(written)).toEqual([]));
});

// Written in parts, so that the table below does not break the rules that it tests.
const lines = (count: number, text = '') => `${text}\n`.repeat(count);
const mark = ['TO', 'DO'].join('');
const home = ['', 'home', 'me', 'data'].join('/');
const temporary = ['', 'tmp', 'astro'].join('/');
const intranet = ['http:/', '10.0.0.7:4873', 'npm'].join('/');
const random = 'Math.random()';
const decider = 'services/scheduling/src/job/job.ts';
const module = 'services/scheduling/src/scheduling.module.ts';

/** What each rule finds in one file: the lines, in order. */
const table: readonly (readonly [
  rule: keyof typeof rules,
  path: string,
  text: string,
  lines: readonly number[],
])[] = [
  ['longLines', 'a.ts', `${'x'.repeat(120)}\n${'x'.repeat(121)}`, [2]],
  ['longLines', 'a.md', 'x'.repeat(121), []],
  ['longFiles', 'a.ts', lines(501, 'x;'), [501]],
  ['longFiles', 'a.ts', lines(500, 'x;'), []],
  ['longFiles', 'a.md', lines(501, 'x'), []],
  ['leftoverMarks', 'a.ts', `// ${mark}: later`, [1]],
  ['leftoverMarks', 'a.md', `the method ${mark}S`, []],
  ['vagueNames', 'libs/utils/src/a.ts', '', [1]],
  ['vagueNames', 'libs/a/src/Common/a.ts', '', [1]],
  ['vagueNames', 'libs/a/src/pool.helpers.ts', '', [1]],
  ['vagueNames', 'libs/a/src/helpers.ts', '', [1]],
  ['vagueNames', 'libs/a/src/commonplace.ts', '', []],
  ['privateWorkplaces', 'a.ts', `open('${home}')`, [1]],
  ['privateWorkplaces', 'a.ts', `open('${temporary}')`, [1]],
  ['privateWorkplaces', 'README.md', `see ${intranet}`, [1]],
  ['privateWorkplaces', 'a.ts', "fetch('http://127.0.0.1:4222'); open('./work/a')", []],
  ['longFunctions', 'a.ts', `export function f() {\n${lines(69)}}`, [1]],
  ['longFunctions', 'a.ts', `export function f() {\n${lines(68)}}`, []],
  ['longFunctions', 'a.mjs', `class A {\n  f() {\n${lines(69)}}\n}`, [2]],
  ['longFunctions', 'a.spec.ts', `describe('a', () => {\n${lines(100)}});`, []],
  ['longFunctions', 'a.spec.ts', `test('a', () => {\n${lines(100)}});`, [1]],
  ['barrels', 'libs/a/src/index.ts', 'export const a = 1;', [1]],
  ['barrels', 'libs/a/src/all.ts', "export * from './a.js';\nexport { b } from './b.js';", [1]],
  ['barrels', 'libs/a/src/a.ts', "export * from './b.js';\nexport const a = 1;", []],
  [
    'partialSuites',
    'a.spec.ts',
    `test${'.only'}('a', f);\ndescribe${'.skip'}('b', f);\n${'x' + 'it'}('c', f);`,
    [1, 2, 3],
  ],
  ['partialSuites', 'a.spec.ts', "test.each(a)('b', f);\nexpect(a.only).toBe(b.skip);", []],
  ['replaceableCalls', decider, 'Date.now();\nnew Date();\nnew Date(1);\nnewId("job");', [1, 2, 4]],
  ['replaceableCalls', 'services/scheduling/src/queue-tasks.reactor.ts', 'Date.now();', [1]],
  ['replaceableCalls', 'libs/read-models/src/scheduling/jobs.ts', 'new Date();', [1]],
  ['replaceableCalls', module, 'Date.now();\nnew Date();\nnewId("job");', []],
  ['replaceableCalls', module, `const a = ${random};\nconst jitterMs = () => ${random};`, [1]],
  ['replaceableCalls', module, 'console.log(1);\nlog.error(1);', [1]],
  ['replaceableCalls', 'tools/demo/src/story.ts', 'console.log(1);', []],
  ['replaceableCalls', 'libs/jetstream/src/bus.ts', 'process.exit(1);', [1]],
  ['replaceableCalls', 'libs/runtime/src/config.ts', 'process.exit(1);', []],
  ['replaceableCalls', 'libs/jetstream/src/bus.spec.ts', "jest.mock('./a.js');\nDate.now();", [1]],
  ['replaceableCalls', 'tools/demo/src/story.ts', "eval('1');\nnew Function('1');", [1, 2]],
];

describe('the rules bite', () => {
  test.each(table)('%s in %s', (rule, path, text, expected) => {
    expect(rules[rule]({ path, text }).map(finding => finding.line)).toEqual(expected);
  });

  test('each rule has a text that breaks it and one that keeps it', () => {
    const kept = new Set(table.filter(([, , , found]) => found.length === 0).map(([rule]) => rule));
    const broken = new Set(table.filter(([, , , found]) => found.length > 0).map(([rule]) => rule));
    expect([...kept].sort()).toEqual(Object.keys(rules).sort());
    expect([...broken].sort()).toEqual(Object.keys(rules).sort());
  });

  test('every banned call names its replacement', () => {
    expect(bannedCalls.filter(({ instead }) => instead.length < 5)).toEqual([]);
  });
});

describe('a file is dead', () => {
  const file = (path: string, text = 'export {};'): SourceFile => ({ path, text });
  const dead = (...others: readonly SourceFile[]) => {
    const files = [file('libs/a/src/a.ts'), ...others];
    const latest = new Map(files.map(each => [each.path, each]));
    return deadFiles([...latest.values()]).map(finding => finding.path);
  };

  test.each<readonly [string, readonly SourceFile[], boolean]>([
    ['when nothing names it', [], true],
    ['when only its own spec imports it', [file('libs/a/src/a.spec.ts', "import './a.js';")], true],
    ['when only itself names it', [file('libs/a/src/a.ts', "import './a.js';")], true],
    ['unless a file beside it imports it', [file('libs/a/src/main.ts', "import './a.js';")], false],
    [
      'unless it is imported for its types',
      [file('libs/a/src/main.ts', "import type { A } from './a.js';")],
      false,
    ],
    ['unless another workspace imports it', [file('services/b/src/main.ts', "import '@astro/a/a';")], false],
    ['unless it is loaded on demand', [file('services/b/src/main.ts', "await import('@astro/a/a');")], false],
    [
      'unless it is started as a worker',
      [file('libs/a/src/main.ts', "new URL('./a.js', import.meta.url);")],
      false,
    ],
    ['unless it is started as a process', [file('tools/b/run.mjs', "run('libs/a/dist/a.js');")], false],
    ['unless a template names it', [file('run.mjs', 'run(`libs/a/dist/${name}.js`);')], false],
    ['when a template names others', [file('run.mjs', 'run(`libs/b/dist/${name}.js`);')], true],
    ['unless an image starts it', [file('compose.yml', 'command: [node, libs/a/dist/a.js]')], false],
    ['when only prose names it', [file('README.md', 'see libs/a/src/a.js')], true],
    ["unless another file's spec uses it", [file('libs/a/src/b.spec.ts', "import './a.js';")], false],
  ])('%s', (_when, others, expected) => {
    expect(dead(...others)).toEqual(expected ? ['libs/a/src/a.ts'] : []);
  });
});
