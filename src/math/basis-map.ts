/**
 * Moving coefficients from one basis to several primes at once, exactly up to one rounding: centred lifts, and multiplication by a
 * rational number with rounding (Halevi, Polyakov, Shoup, "An Improved RNS Variant of the BFV Homomorphic Encryption Scheme", CT-RSA 2019,
 * sections 2.2 and 2.3).
 *
 * Both are sums y_1 w_1 + … + y_k w_k + v w' modulo each target prime, where y_j = x (M / m_j)^-1 mod m_j and v is a sum of the y_j with
 * real factors, rounded to an integer. That integer does not depend on the target, so it is found once.
 */

import { invertMod, type Modulus } from "./modular.ts";
import type { Basis, Ring } from "./ring.ts";

/** Constants of a map between bases. */
export interface BasisMap {
  readonly source: Basis;
  readonly target: Basis;
  /** What limb j of the source is multiplied by to give y_j. */
  readonly sourceScalars: readonly number[];
  /** Real factors of the y_j in v. */
  readonly factors: Float64Array;
  /** True where v may exceed 30 bits: it is a sum of two limbs then. */
  readonly wide: boolean;
  /** True where the polynomial has limbs modulo the target primes, too, and they enter the result. */
  readonly own: boolean;
  /** For each target prime the weights of y_1 … y_k, of v (of its low and high limb where it is wide), and of the own limb. */
  readonly weights: readonly Int32Array[];
}

const LOW_LIMB = 2n ** 30n;

/** (M / m_j)^-1 modulo m_j for each prime m_j of a basis with product M: times x it is the y_j with x / M = sum of y_j / m_j, modulo 1. */
export function conversionScalars({ moduli }: Ring, basis: Basis): number[] {
  const primes = basis.map((index) => BigInt(moduli[index].value));
  const product = productOf(primes);
  return basis.map((index, j) => inverseOf(product / primes[j], moduli[index]));
}

/**
 * The centred representative in [-M/2, M/2), M the product of the source, modulo primes that are not in it. A value within 2^-45 M of the
 * ends may come out as the other end.
 */
export function createLift(ring: Ring, source: Basis, target: Basis): BasisMap {
  const { moduli } = ring;
  const primes = source.map((index) => BigInt(moduli[index].value));
  const product = productOf(primes);
  return {
    source,
    target,
    sourceScalars: conversionScalars(ring, source),
    factors: Float64Array.from(source, (index) => moduli[index].inverse),
    wide: false,
    own: false,
    weights: target.map((index) =>
      Int32Array.from([...primes.map((prime) => product / prime), -product], (w) => residue(w, moduli[index])),
    ),
  };
}

/** How {@link createScaling} multiplies. D is the product of the source, T that of the target. */
export interface ScalingOptions {
  /**
   * "own": x is given modulo DT, the result is round(factor x / D) modulo T. "none": x is given modulo D, the result is
   * round(factor T x / D) modulo T.
   */
  readonly limbs: "own" | "none";
  /** A positive integer below 2^30. */
  readonly factor: number;
}

/**
 * Multiplication by a rational number with rounding. What x is modulo its modulus (DT or D) does not matter: another representative
 * changes the result by a multiple of T.
 *
 * Real factors are doubles: where the exact result is within about k 2^-22 of a half, k the number of source primes, it may be rounded to
 * the other side.
 */
export function createScaling(
  { moduli }: Ring,
  source: Basis,
  target: Basis,
  { limbs, factor }: ScalingOptions,
): BasisMap {
  const own = limbs === "own";
  const primes = source.map((index) => BigInt(moduli[index].value));
  const divisor = productOf(primes);
  const product = productOf(target.map((index) => BigInt(moduli[index].value)));
  // y_j counts for factor T / d_j in the result: an integer, which is reduced, and a fraction, which is summed.
  const numerator = BigInt(factor) * product;
  return {
    source,
    target,
    sourceScalars: source.map((index, j) => {
      const others = divisor / primes[j];
      return inverseOf(own ? others * product : others, moduli[index]);
    }),
    factors: Float64Array.from(primes, (prime) => Number(numerator % prime) / Number(prime)),
    wide: true,
    own,
    weights: target.map((index) => {
      const integers = primes.map((prime) => numerator / prime);
      const owns = own ? [BigInt(factor) * BigInt(inverseOf(divisor, moduli[index]))] : [];
      return Int32Array.from([...integers, 1n, LOW_LIMB, ...owns], (w) => residue(w, moduli[index]));
    }),
  };
}

/** One polynomial on its way through a basis map: word offsets of limbs in coefficient form. */
export interface MappedLimbs {
  /** The y_j: source limbs times the map's `sourceScalars`. */
  readonly scaled: readonly number[];
  /** Limbs modulo the target primes, where the map has `own`. */
  readonly own?: readonly number[];
  /** Two limbs of scratch memory. */
  readonly rounding: readonly [number, number];
  /** Where results go, by target prime; no limb of the input. */
  readonly outs: readonly number[];
}

/**
 * Applies a map to several polynomials.
 *
 * @param finish Called in the same task after each result, with its polynomial's index and its target's: for a transform, for example.
 */
export function applyBasisMap(
  ring: Ring,
  map: BasisMap,
  polynomials: readonly MappedLimbs[],
  finish?: (polynomial: number, target: number) => void,
): void {
  const { kernels, degree, parallel, moduli } = ring;
  parallel(polynomials.length, (i) => {
    const { scaled, rounding } = polynomials[i];
    kernels.roundedSum(...rounding, scaled, map.factors, degree);
  });
  const { length } = map.target;
  const sources = polynomials.map(({ scaled, rounding }) => [...scaled, ...(map.wide ? rounding : [rounding[0]])]);
  parallel(polynomials.length * length, (task) => {
    const i = Math.floor(task / length);
    const m = task % length;
    const { own, outs } = polynomials[i];
    const limbs = own ? [...sources[i], own[m]] : sources[i];
    kernels.combineLimbs(outs[m], limbs, map.weights[m], degree, moduli[map.target[m]]);
    finish?.(i, m);
  });
}

function productOf(primes: readonly bigint[]): bigint {
  return primes.reduce((product, prime) => product * prime, 1n);
}

function residue(value: bigint, { value: p }: Modulus): number {
  const remainder = Number(value % BigInt(p));
  return remainder < 0 ? remainder + p : remainder;
}

function inverseOf(value: bigint, modulus: Modulus): number {
  return invertMod(residue(value, modulus), modulus);
}
