/** An endpoint gave no usable answer: another one, or the same one later, may. */
export class EndpointFailed extends Error {
  override readonly name = 'EndpointFailed';
  constructor(
    readonly endpoint: string,
    reason: string,
    options?: ErrorOptions & { readonly retryAfterMs?: number },
  ) {
    super(`${endpoint}: ${reason}`, options);
    this.retryAfterMs = options?.retryAfterMs;
  }
  /** What the endpoint asked for; undefined when it did not say. */
  readonly retryAfterMs: number | undefined;
}

/** No endpoint gave an answer, in as many rounds as were allowed. Worth another try later. */
export class ChainUnavailable extends Error {
  override readonly name = 'ChainUnavailable';
  constructor(failures: readonly unknown[]) {
    const reasons = failures.map(failure => (failure instanceof Error ? failure.message : String(failure)));
    super(`no endpoint answered: ${reasons.join('; ')}`, { cause: failures.at(-1) });
  }
}

/** A node understood the call and refused it: asking again gives the same. */
export class RpcRefused extends Error {
  override readonly name = 'RpcRefused';
  constructor(
    readonly method: string,
    readonly code: number,
    message: string,
    readonly data: unknown,
  ) {
    super(`${method}: ${message} (${code})`);
  }
}
