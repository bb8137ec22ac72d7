/** What operations on limbs cost: counts of kernel calls, and the price of each. */

/** Kernel calls on one limb. */
export interface KernelCounts {
  readonly transforms: number;
  /** Products with a weight, or of two ciphertexts, that are added to a sum. */
  readonly products: number;
  /** Sums of such products, each reduced once. */
  readonly reductions: number;
  /** Products with a key: of three limbs that two of them read, two are the key's. */
  readonly keyProducts: number;
  /** Sums of such products; most of them are permuted as they are stored. */
  readonly keyReductions: number;
  /** Other passes over a limb: sums, scalar products, copies, and lifts, which take one a digit. */
  readonly passes: number;
}

/** Microseconds a coefficient; a transform counts log2(N) times. */
export interface MachineCosts {
  readonly transform: number;
  readonly product: number;
  readonly reduction: number;
  readonly keyProduct: number;
  readonly keyReduction: number;
  readonly pass: number;
  /** Sums of limbs with small weights, as batches take them. */
  readonly sums: SumCosts;
}

/** Microseconds a coefficient of the three parts of weighted sums, and of a product of two limbs that are at hand. */
export interface SumCosts {
  /** A weight times a limb. */
  readonly entry: number;
  /** Cutting a limb into digits. */
  readonly column: number;
  /** Reducing a sum. */
  readonly row: number;
  readonly product: number;
}

/**
 * The prices by which plans are chosen, whatever machine compiles: measured with the WebAssembly kernels on Node 20 (x64, one thread, N = 8192), 19
 * us a transform, 1.9 a pass, and 5.3 a product with its share of a reduction, since keys and weights come from memory (2.3 where they are at
 * hand); 0.5, 1.5 and 5 us for an entry, a column and a row of weighted sums. `calibrateCosts` measures those of the machine at hand, for predictions.
 */
export const WASM_COSTS: MachineCosts = {
  transform: 0.00018,
  product: 0.00065,
  reduction: 0,
  keyProduct: 0.00065,
  keyReduction: 0,
  pass: 0.00023,
  sums: { entry: 0.00006, column: 0.00018, row: 0.0006, product: 0.0002 },
};

export const none: KernelCounts = {
  transforms: 0,
  products: 0,
  reductions: 0,
  keyProducts: 0,
  keyReductions: 0,
  passes: 0,
};

export function plus(left: KernelCounts, right: KernelCounts): KernelCounts {
  return {
    transforms: left.transforms + right.transforms,
    products: left.products + right.products,
    reductions: left.reductions + right.reductions,
    keyProducts: left.keyProducts + right.keyProducts,
    keyReductions: left.keyReductions + right.keyReductions,
    passes: left.passes + right.passes,
  };
}

/** Residues modulo so many primes turned into mixed-radix digits. */
function countMixedRadix(primes: number): KernelCounts {
  // The k-th digit takes a lift of those before it, and one pass more.
  return { ...none, passes: (primes * (primes + 1)) / 2 - 1 };
}

/** Cutting a polynomial into digits of so many primes and lifting them. */
export function countDecompose(level: number, alpha: number, digitPrimes: number = alpha): KernelCounts {
  const limbs = level + 1;
  // It is copied twice: to be transformed back, and to those limbs of the digits that are its own.
  let counts: KernelCounts = { ...none, transforms: limbs, passes: 2 * limbs };
  for (let first = 0; first < limbs; first += digitPrimes) {
    const size = Math.min(digitPrimes, limbs - first);
    const lifts = limbs + alpha - size;
    counts = plus(counts, plus(countMixedRadix(size), { ...none, transforms: lifts, passes: size * lifts }));
  }
  return counts;
}

/** Products with a key, on two polynomials. */
export function countKeyProduct(level: number, alpha: number, digitPrimes: number = alpha): KernelCounts {
  const keyReductions = 2 * (level + 1 + alpha);
  return { ...none, keyProducts: Math.ceil((level + 1) / digitPrimes) * keyReductions, keyReductions };
}

/** The division of one polynomial by `dropped` primes, with `kept` limbs left. */
export function countDivide(kept: number, dropped: number): KernelCounts {
  return plus(countMixedRadix(dropped), {
    ...none,
    transforms: dropped + kept,
    passes: dropped + kept * (1 + dropped),
  });
}

/** P times two polynomials. */
export function countRaise(level: number): KernelCounts {
  return { ...none, passes: 2 * (level + 1) };
}

/** The division of one polynomial by P. */
export function countLower(level: number, alpha: number): KernelCounts {
  return countDivide(level + 1, alpha);
}

export function times(factor: number, counts: KernelCounts): KernelCounts {
  return {
    transforms: factor * counts.transforms,
    products: factor * counts.products,
    reductions: factor * counts.reductions,
    keyProducts: factor * counts.keyProducts,
    keyReductions: factor * counts.keyReductions,
    passes: factor * counts.passes,
  };
}

export function microseconds(counts: KernelCounts, ringDegree: number, machine: MachineCosts): number {
  return (
    ringDegree *
    (counts.transforms * Math.log2(ringDegree) * machine.transform +
      counts.products * machine.product +
      counts.reductions * machine.reduction +
      counts.keyProducts * machine.keyProduct +
      counts.keyReductions * machine.keyReduction +
      counts.passes * machine.pass)
  );
}
