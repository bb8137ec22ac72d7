/** Parameters of an RLWE instance and the context that is computed from them once. */

import { CrcnnError } from "../errors/index.ts";
import {
  automorphismPermutation,
  type Basis,
  createEngine,
  createRing,
  type Engine,
  type EngineOptions,
  isPrime,
  type Ring,
} from "../math/index.ts";
import { modulusBits, requireSecure, type SecurityLevel } from "./security.ts";

export interface RlweParameters {
  /** N, a power of two from 2^10 to 2^16. */
  readonly ringDegree: number;
  /** The chain q_0 … q_L. Level l uses q_0 … q_l; a rescale drops the last one in use. */
  readonly dataPrimes: readonly number[];
  /** The alpha special primes of hybrid key switching; their product is P. Without any there is no key switching. */
  readonly specialPrimes: readonly number[];
  /**
   * Primes in a digit of key switching; as many as there are special primes by default. Larger digits are fewer, and leave noise above P's
   * rounding: a good bargain where a rescale by several primes follows at once and takes that noise away.
   */
  readonly digitPrimes?: number | undefined;
  /** Bits of security that the parameters are checked for. "insecure" switches the check off, for tests alone. */
  readonly security: SecurityLevel | "insecure";
}

/** Digits of more primes than any chain has are a mistake. */
const MAX_DIGIT_PRIMES = 64;

/** What all parties compute with. Holds no key. */
export interface RlweContext {
  readonly parameters: RlweParameters;
  readonly ring: Ring;
  /** What the ring computes with. */
  readonly engine: Engine;
  /** Tells parameters apart: equal strings mean that ciphertexts and keys fit each other. */
  readonly id: string;
  /** L, the index of the last data prime. */
  readonly maxLevel: number;
  /** Number of special primes. */
  readonly alpha: number;
  /** Primes in a digit. */
  readonly digitPrimes: number;
  /** log2 of the product of all primes. */
  readonly modulusBits: number;
  /** Indices 0 … level. */
  dataBasis(level: number): Basis;
  /** Indices 0 … level, then those of the special primes. */
  keyBasis(level: number): Basis;
  /** Indices of the auxiliary primes. */
  readonly auxiliaryBasis: Basis;
  /**
   * The digits of a polynomial at this level: `digitPrimes` consecutive primes each, the last may be shorter.
   *
   * @throws CrcnnError NO_SPECIAL_PRIME where keys cannot be switched.
   */
  digits(level: number): readonly Basis[];
  /** The permutation of NTT values for X -> X^element. */
  permutation(element: number): Int32Array;
}

export interface ContextOptions extends EngineOptions {
  /** Kernels and the heap that polynomials live in; an engine of its own by default. */
  readonly engine?: Engine | undefined;
  /** Further primes for a scheme's own computations: the ring has them, no key and no ciphertext does, so they do not touch security. */
  readonly auxiliaryPrimes?: readonly number[] | undefined;
  /** What else must be equal for ciphertexts and keys to fit each other; part of the context's id. */
  readonly label?: string | undefined;
}

/**
 * Checks parameters and computes the context.
 *
 * @throws CrcnnError INSECURE_PARAMETERS above the security table, RangeError for malformed values.
 */
export function createRlweContext(parameters: RlweParameters, options: ContextOptions = {}): RlweContext {
  const { ringDegree, dataPrimes, specialPrimes, security, digitPrimes = specialPrimes.length || 1 } = parameters;
  const { auxiliaryPrimes = [], label } = options;
  if (dataPrimes.length === 0) throw new RangeError("dataPrimes must hold at least one prime");
  if (!Number.isInteger(digitPrimes) || digitPrimes < 1 || digitPrimes > MAX_DIGIT_PRIMES) {
    throw new RangeError(`digitPrimes must be an integer from 1 to ${MAX_DIGIT_PRIMES}, got ${digitPrimes}`);
  }
  const primes = [...dataPrimes, ...specialPrimes];
  for (const prime of primes) {
    if (!isPrime(prime)) throw new RangeError(`dataPrimes and specialPrimes must hold primes, got ${prime}`);
  }
  if (security !== "insecure") requireSecure(ringDegree, primes, security);
  const engine = options.engine ?? createEngine(options);
  const ring = createRing(ringDegree, [...primes, ...auxiliaryPrimes], engine);

  const maxLevel = dataPrimes.length - 1;
  const alpha = specialPrimes.length;
  const special = specialPrimes.map((_, i) => dataPrimes.length + i);
  const dataBases = dataPrimes.map((_, level) => Array.from({ length: level + 1 }, (_, i) => i));
  const keyBases = dataBases.map((basis) => [...basis, ...special]);
  const digitsByLevel = dataBases.map((basis) =>
    alpha === 0
      ? []
      : Array.from({ length: Math.ceil(basis.length / digitPrimes) }, (_, d) =>
          basis.slice(d * digitPrimes, (d + 1) * digitPrimes),
        ),
  );
  const permutations = new Map<number, Int32Array>();
  return {
    parameters,
    ring,
    engine,
    id: [
      ringDegree,
      dataPrimes.join(","),
      specialPrimes.join(","),
      ...(digitPrimes === (alpha || 1) ? [] : [digitPrimes]),
      ...(label === undefined ? [] : [label]),
    ].join(":"),
    maxLevel,
    alpha,
    digitPrimes,
    modulusBits: modulusBits(primes),
    dataBasis: (level) => atLevel(dataBases, level),
    keyBasis: (level) => atLevel(keyBases, level),
    auxiliaryBasis: auxiliaryPrimes.map((_, i) => primes.length + i),
    digits(level) {
      if (alpha > 0) return atLevel(digitsByLevel, level);
      throw new CrcnnError(
        "NO_SPECIAL_PRIME",
        "these parameters have no special prime, so no key can be switched: no relinearization and no rotation; use parameters with a " +
          "special prime (a larger ring degree has room for one)",
      );
    },
    permutation(element) {
      let found = permutations.get(element);
      if (!found) {
        found = automorphismPermutation(ringDegree, element);
        permutations.set(element, found);
      }
      return found;
    },
  };
}

function atLevel<T>(byLevel: readonly T[], level: number): T {
  const found = byLevel[level];
  if (found === undefined) {
    throw new RangeError(`level must be an integer from 0 to ${byLevel.length - 1}, got ${level}`);
  }
  return found;
}
