import { Injectable, type OnModuleDestroy } from '@nestjs/common';

/** Resolves when the part works; rejects, or resolves to a reason, when it does not. */
export type HealthCheck = () => Promise<string | void> | string | void;

export type HealthReport = {
  readonly ready: boolean;
  /** For each part `up`, or what is wrong with it. */
  readonly checks: Readonly<Record<string, string>>;
};

/** A check that hangs is a check that failed. */
const checkTimeoutMs = 2_000;

/** What must work before the service can serve: each provider registers its own part. */
@Injectable()
export class HealthChecks implements OnModuleDestroy {
  readonly #checks = new Map<string, HealthCheck>();
  #stopping = false;

  register(name: string, check: HealthCheck): void {
    if (this.#checks.has(name)) throw new Error(`there is already a health check named ${name}`);
    this.#checks.set(name, check);
  }

  async report(): Promise<HealthReport> {
    const entries = await Promise.all(
      [...this.#checks].map(async ([name, check]) => [name, await run(check)] as const),
    );
    const checks = Object.fromEntries(this.#stopping ? [['service', 'stopping'], ...entries] : entries);
    return { ready: Object.values(checks).every(state => state === 'up'), checks };
  }

  /** From here on nobody should send new work. */
  onModuleDestroy(): void {
    this.#stopping = true;
  }
}

async function run(check: HealthCheck): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>(resolve => {
    timer = setTimeout(() => resolve(`no answer in ${checkTimeoutMs} ms`), checkTimeoutMs);
  });
  try {
    return (await Promise.race([Promise.resolve(check()), late])) ?? 'up';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}
