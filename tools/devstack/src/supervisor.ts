import type { LogSink } from './log.js';
import type { ProcessRegister } from './process-register.js';
import { SupervisedProcess, type ProcessPlan } from './supervised-process.js';

/** Starts processes, keeps them running, and stops them. Names are unique. */
export class Supervisor {
  private readonly processes = new Map<string, SupervisedProcess>();

  constructor(
    private readonly log: LogSink,
    private readonly register: ProcessRegister,
  ) {}

  get names(): readonly string[] {
    return [...this.processes.keys()];
  }

  /** Resolves when the process is ready. A process that never gets there is not supervised any further. */
  async start(plan: ProcessPlan, signal?: AbortSignal): Promise<void> {
    if (this.processes.has(plan.name)) throw new Error(`${plan.name} is running already`);
    const supervised = new SupervisedProcess(plan, this.log, this.register);
    this.processes.set(plan.name, supervised);
    try {
      await supervised.start(signal);
    } catch (error) {
      this.processes.delete(plan.name);
      throw error;
    }
  }

  /** Undefined while the process waits for its restart. */
  pid(name: string): number | undefined {
    return this.named(name).pid;
  }

  kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): void {
    this.named(name).kill(signal);
  }

  /** Stops the process in order and starts it again; `env` is for this start alone. */
  async restart(name: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
    const supervised = this.named(name);
    await supervised.stop();
    supervised.prepare(env);
    await supervised.start();
  }

  untilReady(name: string): Promise<void> {
    return this.named(name).untilReady();
  }

  /** Stops the named processes at the same time; those that are not there are stopped already. */
  async stop(names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map(async name => {
        await this.processes.get(name)?.stop();
        this.processes.delete(name);
      }),
    );
  }

  /** Ends the process at once; it is not started again. */
  async destroy(name: string): Promise<void> {
    await this.named(name).stop('SIGKILL');
    this.processes.delete(name);
  }

  private named(name: string): SupervisedProcess {
    const supervised = this.processes.get(name);
    if (!supervised)
      throw new Error(`No process is named ${name}: there are ${this.names.join(', ') || 'none'}.`);
    return supervised;
  }
}
