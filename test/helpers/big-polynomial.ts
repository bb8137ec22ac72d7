/** Products of polynomials with large coefficients modulo X^N + 1, as single products of two huge integers (Kronecker substitution). */

import { mod } from "../../src/math/bigint-ntt.ts";

const DIGIT_BITS = 4;

/** left * right modulo X^N + 1 and q; all coefficients in [0, q). */
export function multiplyLarge(left: readonly bigint[], right: readonly bigint[], q: bigint): bigint[] {
  const degree = left.length;
  const bits = 2 * q.toString(2).length + Math.ceil(Math.log2(degree)) + 1;
  const digits = Math.ceil(bits / DIGIT_BITS);
  const pack = (values: readonly bigint[]): bigint =>
    BigInt(
      `0x${values
        .map((value) => value.toString(16).padStart(digits, "0"))
        .reverse()
        .join("")}`,
    );
  const product = (pack(left) * pack(right)).toString(16).padStart(2 * degree * digits, "0");
  const coefficient = (i: number): bigint => {
    const end = product.length - i * digits;
    return BigInt(`0x0${product.slice(Math.max(0, end - digits), end)}`);
  };
  return left.map((_, i) => mod(coefficient(i) - coefficient(i + degree), q));
}
