import fc from "fast-check";

/**
 * The property tests' seed: fixed in CI, random elsewhere, always printed with a counter-example by fast-check itself.
 * FAST_CHECK_SEED repeats a run.
 */
const fixed = process.env.FAST_CHECK_SEED ?? (process.env.CI ? "20240463" : undefined);
const seed = fixed === undefined ? Date.now() % 0x7fffffff : Number(fixed);
if (!Number.isSafeInteger(seed)) throw new RangeError(`FAST_CHECK_SEED must be an integer, got "${fixed}"`);
fc.configureGlobal({ seed, numRuns: 50 });

// Tests neither read nor leave plans in the folder of whoever runs them.
process.env.CRCNN_NO_CACHE = "1";
