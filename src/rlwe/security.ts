/**
 * How large a modulus a ring degree may carry: the tables of the Security Guidelines for Implementing Homomorphic Encryption
 * (Bossuat et al., ePrint 2024/463), for ternary secrets and error sigma 3.19 or more, against classical attacks.
 */

import { CrcnnError } from "../errors/index.ts";

/** Bits of classical security. */
export type SecurityLevel = 128 | 192 | 256;

/** Largest log2(QP) by security level and ring degree. */
const MAXIMUM_MODULUS_BITS: Readonly<Record<SecurityLevel, Readonly<Record<number, number>>>> = {
  128: { 1024: 26, 2048: 53, 4096: 106, 8192: 214, 16384: 430, 32768: 868, 65536: 1747 },
  192: { 2048: 36, 4096: 73, 8192: 147, 16384: 297, 32768: 597, 65536: 1199 },
  256: { 2048: 27, 4096: 56, 8192: 114, 16384: 230, 32768: 462, 65536: 929 },
};

/** Ring degrees that the table has, smallest first. */
export const RING_DEGREES: readonly number[] = [1024, 2048, 4096, 8192, 16384, 32768, 65536];

/**
 * Largest log2(QP) that is secure at this ring degree; 0 where none is.
 *
 * @throws RangeError for a security level that the guidelines do not have.
 */
export function maximumModulusBits(ringDegree: number, security: SecurityLevel): number {
  if (!Object.hasOwn(MAXIMUM_MODULUS_BITS, security)) {
    throw new RangeError(`security must be 128, 192 or 256 bits, got ${security}`);
  }
  return MAXIMUM_MODULUS_BITS[security][ringDegree] ?? 0;
}

/** log2 of the product of primes. */
export function modulusBits(primes: readonly number[]): number {
  return primes.reduce((bits, prime) => bits + Math.log2(prime), 0);
}

/**
 * Checks a modulus against the table.
 *
 * @throws CrcnnError INSECURE_PARAMETERS naming the ring degree that would do, or how many bits would.
 */
export function requireSecure(ringDegree: number, primes: readonly number[], security: SecurityLevel): void {
  const bits = modulusBits(primes);
  const limit = maximumModulusBits(ringDegree, security);
  if (bits <= limit) return;
  const larger = RING_DEGREES.find((degree) => bits <= maximumModulusBits(degree, security));
  const remedies = [
    ...(larger === undefined ? [] : [`use N = ${larger}`]),
    ...(limit > 0 ? [`shorten the modulus to ${limit} bits`] : []),
  ];
  throw new CrcnnError(
    "INSECURE_PARAMETERS",
    `log2(QP) = ${bits.toFixed(1)} bits is above the ${limit} bits that ${security}-bit security allows at N = ${ringDegree}: ` +
      (remedies.length > 0 ? remedies.join(", or ") : "no ring degree up to 65536 carries such a modulus"),
  );
}
