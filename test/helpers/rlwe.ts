/** Contexts, keys and error measures for the tests of the encryption tiers. Toy parameters are insecure on purpose. */

import { expect } from "vitest";
import { CrcnnError, type ErrorCode } from "../../src/errors/index.ts";
import {
  copyPolynomial,
  ERROR_VARIANCE,
  findNttPrimes,
  type Polynomial,
  type RandomSource,
  readLimb,
  subtractInPlace,
  TERNARY_VARIANCE,
  toCoefficients,
} from "../../src/math/index.ts";
import { createSecretKey, decryptPhase, generateRelinearizationKey, type SecretKey } from "../../src/owner/index.ts";
import { createRlweContext, type EvaluationKeys, type RlweContext, type RlweParameters } from "../../src/rlwe/index.ts";
import { seededRandom } from "./random.ts";

export interface Shape {
  readonly degree?: number;
  /** Bits of the data primes, then of the special ones. */
  readonly data: readonly number[];
  readonly special: readonly number[];
  readonly security?: RlweParameters["security"];
}

/** A context with the largest primes of these lengths and a heap of its own. */
export function createTestContext({ degree = 1024, data, special, security = "insecure" }: Shape): RlweContext {
  const primes = findNttPrimes(degree, [...data, ...special]);
  return createRlweContext({
    ringDegree: degree,
    dataPrimes: primes.slice(0, data.length),
    specialPrimes: primes.slice(data.length),
    security,
  });
}

export interface Party {
  readonly context: RlweContext;
  readonly secret: SecretKey;
  readonly random: RandomSource;
}

/** A key owner whose randomness is the same in every run. */
export function createParty(shape: Shape | RlweContext, stream = 1): Party {
  const context = "ring" in shape ? shape : createTestContext(shape);
  const random = seededRandom(stream);
  return { context, secret: createSecretKey(context, random), random };
}

/** Evaluation keys with relinearization at the top level and no Galois key. */
export function relinearizationOnly({ context, secret, random }: Party): EvaluationKeys {
  return { relinearization: generateRelinearizationKey(secret, context.maxLevel, random), galois: new Map() };
}

/**
 * The coefficients of a polynomial that are known to be small against its first prime. All limbs have to agree on them: they do so by
 * chance with a probability of about 1 / p only.
 */
export function smallCoefficients(polynomial: Polynomial): Float64Array {
  const { ring, basis } = polynomial;
  const copy = copyPolynomial(polynomial);
  if (copy.domain === "ntt") toCoefficients(copy as Polynomial<"ntt">);
  const limbs = basis.map((index, k) => {
    const p = ring.moduli[index]!.value;
    return Float64Array.from(readLimb(copy, k), (residue) => (2 * residue > p ? residue - p : residue));
  });
  copy.block.free();
  const [first, ...others] = limbs as [Float64Array, ...Float64Array[]];
  for (const [k, limb] of others.entries()) {
    const different = limb.findIndex((value, i) => value !== first[i]);
    if (different >= 0) {
      throw new Error(
        `limbs 0 and ${k + 1} disagree at coefficient ${different}: ${first[different]}, ${limb[different]}`,
      );
    }
  }
  return first;
}

/** What decryption leaves besides the message. */
export function noiseOf(
  secret: SecretKey,
  ciphertext: { readonly components: readonly Polynomial<"ntt">[]; readonly level: number },
  message?: Polynomial<"ntt">,
): Float64Array {
  const phase = decryptPhase(secret, { ...ciphertext, context: secret.context });
  if (message) {
    const expected = toCoefficients(copyPolynomial(message, ciphertext.level + 1));
    subtractInPlace(phase, expected);
    expected.block.free();
  }
  const noise = smallCoefficients(phase);
  phase.block.free();
  return noise;
}

/** All residues, limb after limb. */
export function wordsOf({ ring, block }: Polynomial): Int32Array {
  return ring.heap.words.slice(block.offset, block.offset + block.length);
}

/** True where the heap holds the first words of this limb somewhere, also in memory that was given back. */
export function heapHolds({ heap }: RlweContext["ring"], limb: Int32Array): boolean {
  const { words } = heap;
  for (let at = words.indexOf(limb[0]!); at >= 0; at = words.indexOf(limb[0]!, at + 1)) {
    if (limb.subarray(0, 4).every((word, i) => words[at + i] === word)) return true;
  }
  return false;
}

/** Variance that dividing d + 1 components by primes adds: each is rounded, component i is multiplied by s^i. */
export function roundingVariance(degree: number, components: 2 | 3 = 2): number {
  const linear = 1 + TERNARY_VARIANCE * degree;
  // A coefficient of s^2 is a sum of N / 2 doubled products.
  const quadratic = components === 3 ? degree * 2 * degree * TERNARY_VARIANCE ** 2 : 0;
  return (linear + quadratic) / 12;
}

/** Variance that a key switch adds: centred digits times errors, divided by P, and the rounding of that division. */
export function keySwitchVariance(context: RlweContext, level: number): number {
  const { ring, parameters } = context;
  const special = parameters.specialPrimes.reduce((product, prime) => product * prime, 1);
  const digits = context.digits(level).map((primes) => {
    const width = primes.reduce((product, index) => product * ring.moduli[index]!.value, 1);
    return (ring.degree * ERROR_VARIANCE * (width / special) ** 2) / 12;
  });
  return digits.reduce((sum, digit) => sum + digit, roundingVariance(ring.degree));
}

/** Holds a measured figure against its prediction, from both sides. */
export function expectWithin(measured: number, predicted: number, tolerance: number): void {
  expect(measured).toBeGreaterThan(predicted * (1 - tolerance));
  expect(measured).toBeLessThan(predicted * (1 + tolerance));
}

/** Expects a `CrcnnError` of one line whose message has all the fragments: the figures, the limit, the remedy. */
export function expectRefusal(action: () => unknown, code: ErrorCode, ...fragments: (string | RegExp)[]): void {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof CrcnnError)) throw new Error(`expected a CrcnnError ${code}, got ${String(thrown)}`);
  expect(thrown.code).toBe(code);
  expect(thrown.message).not.toContain("\n");
  for (const fragment of fragments) expect(thrown.message).toMatch(fragment);
}
