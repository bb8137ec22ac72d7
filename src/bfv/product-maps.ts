/**
 * How a product of ciphertexts moves between bases, by one of two algorithms that differ in what they scale and when:
 *
 * - HPS (Halevi, Polyakov, Shoup, CT-RSA 2019, section 4): both operands are lifted from Q to QR, multiplied there, scaled by t/Q into R,
 *   and lifted back to Q. R must hold the scaled product, so log2 R is about log2 (Q t N).
 * - HPS over Q (Kim, Polyakov, Zucca, "Revisiting Homomorphic Encryption Schemes for Finite Fields", ASIACRYPT 2021, section 3): one operand
 *   is scaled by R/Q, the product by t/R, straight into Q. That the product wraps around modulo QR does no harm, so R need only be a little
 *   larger than Q; but the scaled operand must be lifted to Q again.
 */

import { type Basis, type BasisMap, createLift, createScaling, PRIME_CEILING } from "../math/index.ts";
import { modulusBits, type RlweContext } from "../rlwe/index.ts";

export type ProductVariant = "hps" | "hpsOverQ";

/** Lifts both operands from Q to R; product by t/Q into R; lift to Q. */
export interface HpsMaps {
  readonly variant: "hps";
  readonly auxiliary: Basis;
  readonly lift: BasisMap;
  readonly scale: BasisMap;
  readonly back: BasisMap;
}

/** Lifts one operand from Q to R, scales the other by R/Q into R, lifts it to Q; product by t/R into Q. */
export interface HpsOverQMaps {
  readonly variant: "hpsOverQ";
  readonly auxiliary: Basis;
  readonly lift: BasisMap;
  readonly scaleOperand: BasisMap;
  readonly liftOperand: BasisMap;
  readonly scale: BasisMap;
}

export interface ProductMaps {
  readonly hps: HpsMaps;
  readonly hpsOverQ: HpsOverQMaps;
  /** What takes less work for a product of two ciphertexts of two components, and for a square of one. */
  readonly forProduct: ProductVariant;
  readonly forSquare: ProductVariant;
}

/**
 * log2 of how much larger than Q the auxiliary modulus of HPS over Q is at least. Rounding the scaled operand adds the noise of a
 * rescale (sigma 22 at N = 8192, 43 at N = 32768) divided by 2^this, which stays below that of a fresh encryption.
 */
export const OVER_Q_MARGIN_BITS = 4;
/** Auxiliary primes are among the largest there are, one or two hundred at most: none is smaller than this. */
const SMALLEST_AUXILIARY_BITS = Math.log2(PRIME_CEILING) - 0.35;
/** Components of the shorter operand for which HPS has room; with more, HPS over Q is taken, which needs none. */
export const HPS_MAXIMUM_COMPONENTS = 4;

/** What the number of auxiliary primes depends on. */
export interface ProductParameters {
  readonly ringDegree: number;
  readonly plainModulus: number;
  readonly dataPrimes: readonly number[];
  /** Products of components that one result sums before it is scaled: {@link HPS_MAXIMUM_COMPONENTS} by default. */
  readonly productTerms?: number | undefined;
}

/** log2 of what each variant's auxiliary modulus is at least, for products modulo all data primes. */
function auxiliaryBits({
  ringDegree,
  plainModulus,
  dataPrimes,
  productTerms = HPS_MAXIMUM_COMPONENTS,
}: ProductParameters): Record<ProductVariant, number> {
  const bits = modulusBits(dataPrimes);
  return {
    // |t x / Q| <= t terms N (Q/2)^2 / Q must be below R/2.
    hps: bits + Math.log2((plainModulus * ringDegree * productTerms) / 2) + 0.1,
    hpsOverQ: bits + OVER_Q_MARGIN_BITS,
  };
}

/** Auxiliary primes that a variant takes, when they are as long as can be. */
export function auxiliaryCount(parameters: ProductParameters, variant: ProductVariant): number {
  return Math.ceil(auxiliaryBits(parameters)[variant] / Math.log2(PRIME_CEILING));
}

/** As many primes as suffice for both variants, whichever of the largest ones they are. */
export function auxiliaryCandidates(parameters: ProductParameters): number {
  const { hps, hpsOverQ } = auxiliaryBits(parameters);
  return Math.ceil(Math.max(hps, hpsOverQ) / SMALLEST_AUXILIARY_BITS);
}

/** How many of the auxiliary primes each variant needs for products modulo all data primes. */
export function auxiliaryCounts(
  parameters: ProductParameters,
  auxiliaryPrimes: readonly number[],
): Record<ProductVariant, number> {
  const count = (least: number): number =>
    auxiliaryPrimes.findIndex((_, i) => modulusBits(auxiliaryPrimes.slice(0, i + 1)) >= least) + 1;
  const { hps, hpsOverQ } = auxiliaryBits(parameters);
  return { hps: count(hps), hpsOverQ: count(hpsOverQ) };
}

/** One term of a linear combination of limbs, as a part of a transform of a limb: measured at N = 8192 (1.9 of 19 microseconds). */
const TERM_COST = 0.1;

/**
 * Work of a product of two ciphertexts of two components in NTT form, in transforms of a limb, for k data primes and r auxiliary ones.
 */
export function productCost(variant: ProductVariant, k: number, r: number, square: boolean): number {
  const operands = square ? 2 : 4;
  const [lifted, scaled, results] = [2, 2, 3];
  const inverse = operands * k + results * (k + r);
  if (variant === "hps") {
    const terms = operands * r * (k + 1) + results * (r * (k + 3) + k * (r + 1));
    return inverse + operands * r + TERM_COST * terms;
  }
  const terms = lifted * r * (k + 1) + scaled * (r * (k + 2) + k * (r + 1)) + results * k * (r + 3);
  return inverse + lifted * r + scaled * (k + r) + TERM_COST * terms;
}

/**
 * Work of sums of squares by HPS: `elements` are squared, `sums` scaled, for k data primes and r auxiliary ones. Passes are terms of linear
 * combinations of limbs.
 */
export function squareWork(
  k: number,
  r: number,
  elements: number,
  sums: number,
): { readonly transforms: number; readonly passes: number } {
  return {
    transforms: elements * 2 * (k + r) + sums * 3 * (k + r),
    passes: elements * 2 * r * (k + 1) + sums * 3 * (r * (k + 3) + k * (r + 1)),
  };
}

export function createProductMaps(
  context: RlweContext,
  plainModulus: number,
  level: number,
  productTerms?: number,
): ProductMaps {
  const { ring, parameters } = context;
  const { ringDegree, dataPrimes } = parameters;
  const data = context.dataBasis(level);
  const counts = auxiliaryCounts(
    { ringDegree, plainModulus, dataPrimes: dataPrimes.slice(0, level + 1), productTerms },
    context.auxiliaryBasis.map((index) => ring.moduli[index]!.value),
  );
  const hpsBasis = context.auxiliaryBasis.slice(0, counts.hps);
  const overQBasis = context.auxiliaryBasis.slice(0, counts.hpsOverQ);
  const cheaper = (square: boolean): ProductVariant => {
    const cost = (variant: ProductVariant): number => productCost(variant, data.length, counts[variant], square);
    return cost("hps") <= cost("hpsOverQ") ? "hps" : "hpsOverQ";
  };
  return {
    hps: {
      variant: "hps",
      auxiliary: hpsBasis,
      lift: createLift(ring, data, hpsBasis),
      scale: createScaling(ring, data, hpsBasis, { limbs: "own", factor: plainModulus }),
      back: createLift(ring, hpsBasis, data),
    },
    hpsOverQ: {
      variant: "hpsOverQ",
      auxiliary: overQBasis,
      lift: createLift(ring, data, overQBasis),
      scaleOperand: createScaling(ring, data, overQBasis, { limbs: "none", factor: 1 }),
      liftOperand: createLift(ring, overQBasis, data),
      scale: createScaling(ring, overQBasis, data, { limbs: "own", factor: plainModulus }),
    },
    forProduct: cheaper(false),
    forSquare: cheaper(true),
  };
}
