import CircuitBreaker from 'opossum';

/**
 * A circuit breaker. One for each dependency, never one for each job or tenant: it is the dependency that is down.
 * After too many failures it answers at once with an error whose `code` is `EOPENBREAKER`, and tries again later.
 */
export const breaker = <Args extends unknown[], Result>(
  name: string,
  action: (...args: Args) => Promise<Result>,
  options: Partial<Omit<CircuitBreaker.Options<Args>, 'name'>> = {},
): CircuitBreaker<Args, Result> =>
  new CircuitBreaker(action, {
    name,
    timeout: 5_000,
    errorThresholdPercentage: 50,
    // Without it a single failure among a few calls opens the circuit.
    volumeThreshold: 10,
    rollingCountTimeout: 10_000,
    resetTimeout: 3_000,
    ...options,
  });
