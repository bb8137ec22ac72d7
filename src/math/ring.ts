/** The ring Z_Q[X]/(X^N + 1) in residue number system (RNS) form: a list of primes with their tables, a heap and kernels. */

import type { Heap } from "./heap.ts";
import type { Kernels, MixedRadixLift } from "./kernels/kernels.ts";
import { invertMod, type Modulus, modulus, multiplyMod } from "./modular.ts";
import { createNttTable, type NttTable } from "./ntt-table.ts";
import { isPrime } from "./primes.ts";

/** A list of indices into `Ring.moduli`: the primes that a polynomial has limbs for. */
export type Basis = readonly number[];

/**
 * Runs tasks 0 … count - 1, perhaps on several threads, and returns when all are done. A task may do nothing with the heap but call kernels,
 * which then happen in order within the task and in any order among tasks; tasks must not write what others read or write.
 */
export type ParallelFor = (count: number, task: (index: number) => void) => void;

export interface Ring {
  /** N. */
  readonly degree: number;
  readonly moduli: readonly Modulus[];
  readonly tables: readonly NttTable[];
  readonly heap: Heap;
  readonly kernels: Kernels;
  readonly parallel: ParallelFor;
  /** Threads that take part in a parallel-for. */
  readonly threads: number;
  /** Constants for lifting mixed-radix digits from a basis to one prime; computed once and kept. */
  lift(source: Basis, target: number): BasisLift;
}

/** A {@link MixedRadixLift} between primes of a ring. */
export interface BasisLift extends MixedRadixLift {
  /** Q^-1 modulo the target prime, where Q is the product of the radices; 0 where the target is one of them. */
  readonly inverseProduct: number;
}

/** What a ring computes with. */
export interface RingEngine {
  readonly heap: Heap;
  readonly kernels: Kernels;
  readonly parallel: ParallelFor;
  /** Threads that take part in a parallel-for, the calling one included: fewer than at first where one has died. */
  readonly threads: number;
}

/**
 * Makes a ring.
 *
 * @param degree N, a power of two from 2^10 to 2^16.
 * @param primes Different primes, each 1 modulo 2N.
 * @throws RangeError for another degree or unsuitable primes.
 */
export function createRing(degree: number, primes: readonly number[], engine: RingEngine): Ring {
  if (!Number.isInteger(Math.log2(degree)) || degree < 2 ** 10 || degree > 2 ** 16) {
    throw new RangeError(`the ring degree must be a power of two from 1024 to 65536, got ${degree}`);
  }
  if (new Set(primes).size !== primes.length) throw new RangeError(`the primes must differ, got ${primes.join(", ")}`);
  const composite = primes.find((prime) => !isPrime(prime));
  if (composite !== undefined) throw new RangeError(`every modulus must be a prime, ${composite} is not`);
  const moduli = primes.map(modulus);
  const tables = moduli.map((each) => createNttTable(degree, each));
  /** Constants by source basis and target prime. */
  function cached<T>(
    create: (sources: readonly Modulus[], target: Modulus) => T,
  ): (source: Basis, target: number) => T {
    const known = new Map<string, T>();
    return (source, target) => {
      const name = `${source.join(",")}>${target}`;
      let found = known.get(name);
      if (!found) {
        found = create(
          source.map((index) => moduli[index]),
          moduli[target],
        );
        known.set(name, found);
      }
      return found;
    };
  }
  return {
    degree,
    moduli,
    tables,
    ...engine,
    lift: cached(createLift),
  };
}

function createLift(sources: readonly Modulus[], target: Modulus): BasisLift {
  const weights = [1];
  for (const { value } of sources) weights.push(multiplyMod(weights[weights.length - 1], value % target.value, target));
  const product = weights.pop() as number;
  return {
    radices: sources.map(({ value }) => value),
    weights,
    target,
    inverseProduct: product === 0 ? 0 : invertMod(product, target),
  };
}
