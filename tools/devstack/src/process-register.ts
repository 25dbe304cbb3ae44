import { setTimeout as sleep } from 'node:timers/promises';
import { commandLineOf } from './process-identity.js';
import type { StateFolder } from './state.js';

type Registered = { readonly name: string; readonly pid: number; readonly commandLine: string };

const file = 'processes';
const stopLimitMs = 10_000;
const pollMs = 50;

/**
 * Which processes run on behalf of a state folder. A supervisor that was killed could not stop them; the next one
 * finds them here, so that no service ever runs twice on the same state.
 */
export class ProcessRegister {
  constructor(private readonly state: StateFolder) {}

  add(name: string, pid: number): void {
    const commandLine = commandLineOf(pid);
    // Gone already: its exit is reported to whoever started it.
    if (commandLine === undefined) return;
    this.state.write(file, [...this.others(pid), { name, pid, commandLine }]);
  }

  remove(pid: number): void {
    this.state.write(file, this.others(pid));
  }

  /** Stops what an earlier supervisor left running. Returns the names. */
  async stopLeftovers(): Promise<readonly string[]> {
    const leftovers = this.all().filter(isRunning);
    for (const { pid } of leftovers) process.kill(pid, 'SIGTERM');
    const deadline = Date.now() + stopLimitMs;
    while (leftovers.some(isRunning)) {
      if (Date.now() > deadline)
        for (const { pid } of leftovers.filter(isRunning)) process.kill(pid, 'SIGKILL');
      await sleep(pollMs);
    }
    this.state.write(file, []);
    return leftovers.map(({ name }) => name);
  }

  private all(): readonly Registered[] {
    return this.state.read<Registered[]>(file) ?? [];
  }

  private others(pid: number): readonly Registered[] {
    return this.all().filter(registered => registered.pid !== pid);
  }
}

const isRunning = ({ pid, commandLine }: Registered) => commandLineOf(pid) === commandLine;
