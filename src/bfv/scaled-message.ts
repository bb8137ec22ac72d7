/** Messages scaled to the ciphertext modulus: round(Q m / t), coefficient by coefficient and exactly, as SEAL 4 has it. */

import { allocatePolynomial, type Basis, limbOffset, type Modulus, type Polynomial, type Ring } from "../math/index.ts";

/** Constants of one level, whose modulus is Q. */
export interface ScaledMessage {
  /** Q mod t. */
  readonly remainder: number;
  /** floor(Q / t) modulo each prime, and 1 for the correction. */
  readonly weights: readonly Int32Array[];
}

export function createScaledMessages(
  { moduli }: Ring,
  plainModulus: number,
  dataPrimes: readonly number[],
): ScaledMessage[] {
  const t = BigInt(plainModulus);
  let product = 1n;
  return dataPrimes.map((prime, level) => {
    product *= BigInt(prime);
    const quotient = product / t;
    return {
      remainder: Number(product % t),
      weights: moduli.slice(0, level + 1).map(({ value }) => Int32Array.of(Number(quotient % BigInt(value)), 1)),
    };
  });
}

/**
 * floor((a m_i + floor(t / 2)) / t) for m_i in [0, t) and a in [0, t), exactly: the quotient comes from doubles and is right to one, which
 * the remainder modulo 2^32 then shows.
 */
export function roundedQuotients(out: Int32Array, values: Int32Array, a: number, t: number): void {
  const half = Math.floor(t / 2);
  const inverse = 1 / t;
  for (let i = 0; i < values.length; i++) {
    const m = values[i]!;
    const quotient = Math.floor((a * m + half) * inverse);
    const remainder = (Math.imul(a, m) + half - Math.imul(quotient, t)) | 0;
    // One less where the remainder is negative, one more where it is t or above; no branch depends on the message.
    out[i] = quotient + (remainder >> 31) - ((t - 1 - remainder) >> 31);
  }
}

/** round(Q m / t) = floor(Q / t) m + round((Q mod t) m / t), halves upwards, for N coefficients m in [0, t). */
export function scaleMessage(
  ring: Ring,
  basis: Basis,
  coefficients: Int32Array,
  plainModulus: number,
  { remainder, weights }: ScaledMessage,
): Polynomial<"coefficient"> {
  const { heap, kernels, degree, moduli, parallel } = ring;
  const polynomial = allocatePolynomial(ring, basis, "coefficient");
  const scratch = heap.allocate(2 * degree);
  const [message, correction] = [scratch.offset, scratch.offset + degree];
  heap.words.set(coefficients, message);
  roundedQuotients(heap.words.subarray(correction, correction + degree), coefficients, remainder, plainModulus);
  parallel(basis.length, (k) => {
    const modulus = moduli[basis[k]!] as Modulus;
    kernels.combineLimbs(limbOffset(polynomial, k), [message, correction], weights[k]!, degree, modulus);
  });
  // A message is as secret as what it is encrypted under.
  heap.words.fill(0, scratch.offset, scratch.offset + scratch.length);
  scratch.free();
  return polynomial;
}
