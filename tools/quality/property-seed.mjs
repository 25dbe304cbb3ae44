import fc from 'fast-check';

/**
 * The same examples in every run, so that a change is judged by itself and not by luck; another seed looks further:
 * `PROPERTY_SEED=7 npm test -- services/scheduling/src/pool`.
 */
const seed = Number(process.env.PROPERTY_SEED ?? 1);
if (!Number.isInteger(seed))
  throw new Error(`PROPERTY_SEED: a whole number, not ${process.env.PROPERTY_SEED}`);
fc.configureGlobal({ seed });
