import { execFile } from 'node:child_process';
import { nothing, type Finding } from './accelerator.js';

const TIMEOUT_MS = 5_000;
const OUTPUT_MAX_BYTES = 1024 * 1024;
const REASON_MAX_LENGTH = 200;

/** What a vendor's tool had to say. Most machines lack most tools, which is no failure. */
export type ToolAnswer =
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'answered'; readonly text: string };

export type RunTool = (command: string, args: readonly string[]) => Promise<ToolAnswer>;

/** Runs a tool of this machine, and ends it when it hangs: a driver in trouble does not answer. */
export const runTool: RunTool = (command, args) =>
  new Promise(resolve => {
    const options = {
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
      maxBuffer: OUTPUT_MAX_BYTES,
      env: { ...process.env, LC_ALL: 'C' },
    } as const;
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ kind: 'answered', text: stdout });
      else if (error.code === 'ENOENT' || error.code === 'EACCES') resolve({ kind: 'missing' });
      else resolve({ kind: 'failed', reason: reasonOf(error, `${stdout}\n${stderr}`) });
    });
  });

function reasonOf(error: { readonly killed?: boolean; readonly message: string }, said: string): string {
  if (error.killed) return `did not answer within ${TIMEOUT_MS} ms`;
  const line = said.split('\n').find(text => text.trim() !== '') ?? error.message;
  return line
    .replace(/[^\x20-\x7e]/g, '')
    .trim()
    .slice(0, REASON_MAX_LENGTH);
}

/** What is found where a tool gave no list of devices. */
export const unanswered = (tool: string, answer: Exclude<ToolAnswer, { kind: 'answered' }>): Finding =>
  answer.kind === 'missing' ? nothing : { accelerators: [], problems: [`${tool} failed: ${answer.reason}`] };

/** Tools print warnings before their JSON, of devices that sleep for example. Undefined where there is none. */
export function jsonIn(text: string): unknown {
  const start = text.indexOf('{');
  if (start < 0) return undefined;
  try {
    return JSON.parse(text.slice(start));
  } catch {
    return undefined;
  }
}
