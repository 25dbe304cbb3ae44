/** What two callers at once, a restart or a full server cause: the same statement can succeed later. */
const retryableStates = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
  '57014', // query_canceled, by a time-out
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
]);

/** Classes 08 (connection) and 53 (insufficient resources) are retryable as a whole. */
const retryableClasses = new Set(['08', '53']);

const retryableSocketErrors = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
]);

/** The driver gives these no code, so that their text is all there is to know them by. */
const retryableTexts = [
  'Connection terminated',
  'Client has encountered a connection error',
  'timeout exceeded when trying to connect',
];

/** Whether the database may accept the same statement later: connection and serialization failures. */
export function isRetryable(failure: unknown): boolean {
  for (let error = failure; error instanceof Error; error = error.cause) {
    const code = 'code' in error ? String(error.code) : '';
    if (retryableStates.has(code) || retryableSocketErrors.has(code)) return true;
    if (code.length === 5 && retryableClasses.has(code.slice(0, 2))) return true;
    if (retryableTexts.some(text => error instanceof Error && error.message.includes(text))) return true;
    if (error instanceof AggregateError && error.errors.some(isRetryable)) return true;
  }
  return false;
}

/** Whether a statement gave up because others hold what it wants to lock. */
export function isLockTimeout(failure: unknown): boolean {
  for (let error = failure; error instanceof Error; error = error.cause) {
    if ('code' in error && (error.code === '55P03' || error.code === '40P01')) return true;
  }
  return false;
}
