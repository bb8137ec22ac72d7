/** Numbers that are the same in every run, so that every run measures the same work. Nothing secret comes from here. */

/** Numbers in [0, 1) from a fixed sequence (mulberry32). */
export function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Reals in [-1, 1). */
export function randomReals(length: number, seed: number): Float64Array {
  const next = sequence(seed);
  return Float64Array.from({ length }, () => 2 * next() - 1);
}
