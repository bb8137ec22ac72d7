/** Sums and products of numbers that are given by their binary logarithms: variances of noise leave the range of doubles. */

/** log2(2^a + 2^b). */
export function addLog(a: number, b: number): number {
  const larger = Math.max(a, b);
  if (larger === Number.NEGATIVE_INFINITY) return larger;
  return larger + Math.log2(1 + 2 ** (Math.min(a, b) - larger));
}

/** log2 of the sum of 2^x over a list; minus infinity for none. */
export function sumLog(values: readonly number[]): number {
  return values.reduce(addLog, Number.NEGATIVE_INFINITY);
}

/** Logarithms of a polynomial product's coefficients, given those of its factors. */
export function convolveLog(left: readonly number[], right: readonly number[]): number[] {
  const product = new Array<number>(left.length + right.length - 1).fill(Number.NEGATIVE_INFINITY);
  for (const [i, a] of left.entries()) {
    for (const [j, b] of right.entries()) product[i + j] = addLog(product[i + j]!, a + b);
  }
  return product;
}
