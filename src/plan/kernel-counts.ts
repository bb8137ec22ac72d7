/** What operations on limbs cost: counts of kernel calls, and the price of each. */

/** Kernel calls on one limb. */
export interface KernelCounts {
  readonly transforms: number;
  /** Products that are added to a sum. */
  readonly products: number;
  /** Other passes over a limb: sums, scalar products, base conversions, permutations. */
  readonly passes: number;
}

/** Microseconds a coefficient; a transform counts log2(N) times. */
export interface MachineCosts {
  readonly transform: number;
  readonly product: number;
  readonly pass: number;
}

/**
 * Measured with the WebAssembly kernels on Node 20 (x64, one thread, N = 8192): 19 us a transform, 2.5 a pass, and 5.3 a product, since keys and
 * weights come from memory (2.3 where they are at hand).
 */
export const WASM_COSTS: MachineCosts = { transform: 0.00018, product: 0.00065, pass: 0.0003 };

/** The same with the TypeScript kernels. The proportions are alike, so layouts chosen for one serve the other. */
export const TYPESCRIPT_COSTS: MachineCosts = { transform: 0.00125, product: 0.0026, pass: 0.0028 };

export const none: KernelCounts = { transforms: 0, products: 0, passes: 0 };

export function plus(left: KernelCounts, right: KernelCounts): KernelCounts {
  return {
    transforms: left.transforms + right.transforms,
    products: left.products + right.products,
    passes: left.passes + right.passes,
  };
}

/** Cutting a polynomial into digits of so many primes and lifting them. */
export function countDecompose(level: number, alpha: number, digitPrimes: number = alpha): KernelCounts {
  const limbs = level + 1;
  const digits = Math.ceil(limbs / digitPrimes);
  const lifts = digits * (limbs + alpha) - limbs;
  return { transforms: limbs + lifts, products: 0, passes: digitPrimes * lifts };
}

/** Products with a key, on two polynomials. */
export function countKeyProduct(level: number, alpha: number, digitPrimes: number = alpha): KernelCounts {
  const limbs = level + 1;
  return { ...none, products: 2 * Math.ceil(limbs / digitPrimes) * (limbs + alpha) };
}

/** The division of one polynomial by `dropped` primes, with `kept` limbs left. */
export function countDivide(kept: number, dropped: number): KernelCounts {
  return { transforms: dropped + kept, products: 0, passes: kept * (1 + dropped) };
}

/** The division of one polynomial by P. */
export function countLower(level: number, alpha: number): KernelCounts {
  return countDivide(level + 1, alpha);
}

export function times(factor: number, { transforms, products, passes }: KernelCounts): KernelCounts {
  return { transforms: factor * transforms, products: factor * products, passes: factor * passes };
}

export function microseconds(
  { transforms, products, passes }: KernelCounts,
  ringDegree: number,
  machine: MachineCosts,
): number {
  const { transform, product, pass } = machine;
  return ringDegree * (transforms * Math.log2(ringDegree) * transform + products * product + passes * pass);
}
