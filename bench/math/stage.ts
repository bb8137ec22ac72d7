/** The same limbs in two heaps: one for the WebAssembly kernels, one for those in TypeScript. */

import { type Backend, createEngine, createRing, findNttPrimes, type Kernels, type Ring } from "crcnn/math";
import { sequence } from "../random.ts";

export const RING_DEGREE = 8192;
/** Limbs of random residues; results go into one more. */
const INPUTS = 19;

export interface Stage {
  readonly ring: Ring;
  readonly kernels: Kernels;
  /** Word offset of an input. */
  input(index: number): number;
  /** Word offset of the result. */
  readonly output: number;
  read(offset: number): Int32Array;
  write(offset: number, residues: Int32Array): void;
}

export function createStage(backend: Backend): Stage {
  const engine = createEngine({ backend });
  const { heap, kernels } = engine;
  const primes = findNttPrimes(RING_DEGREE, [30, 30, 30]);
  const ring = createRing(RING_DEGREE, primes, engine);
  const { offset } = heap.allocate((INPUTS + 1) * RING_DEGREE);
  const next = sequence(1);
  // Below the smallest prime, so that a limb may stand for residues of any of them.
  const bound = Math.min(...primes);
  for (let i = 0; i < INPUTS * RING_DEGREE; i++) heap.words[offset + i] = Math.floor(next() * bound);
  return {
    ring,
    kernels,
    input: (index) => offset + index * RING_DEGREE,
    output: offset + INPUTS * RING_DEGREE,
    read: (start) => heap.words.slice(start, start + RING_DEGREE),
    write: (start, residues) => heap.words.set(residues, start),
  };
}
