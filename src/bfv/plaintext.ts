/** Plaintexts as operands of ciphertexts: scaled to the ciphertext modulus for sums, lifted to it for products. */

import { allocatePolynomial, fromSigned, type Polynomial, toNtt, writeLimb } from "../math/index.ts";
import type { BfvPlaintext } from "./ciphertext.ts";
import type { BfvContext } from "./parameters.ts";
import { scaleMessage } from "./scaled-message.ts";

/** A plaintext made ready for products, at its level and every level below. */
export interface BfvFactor {
  readonly context: BfvContext;
  readonly polynomial: Polynomial<"ntt">;
  readonly level: number;
}

/** round(Q m / t) at a level. */
export function scaledPlaintext(
  context: BfvContext,
  { coefficients }: BfvPlaintext,
  level: number,
): Polynomial<"coefficient"> {
  const { ring, plainModulus } = context;
  return scaleMessage(ring, context.dataBasis(level), coefficients, plainModulus, context.scaledMessage(level));
}

/** The representatives in (-t/2, t/2], modulo the primes of a level and transformed. Small coefficients make for little noise. */
export function liftedPlaintext(
  context: BfvContext,
  { coefficients, plainModulus }: BfvPlaintext,
  level: number,
): Polynomial<"ntt"> {
  const { ring } = context;
  const half = Math.floor(plainModulus / 2);
  const centred = coefficients.map((value) => (value > half ? value - plainModulus : value));
  const basis = context.dataBasis(level);
  if (basis.every((index) => ring.moduli[index]!.value > half)) return toNtt(fromSigned(ring, basis, centred));
  const polynomial = allocatePolynomial(ring, basis, "coefficient");
  for (const [k, index] of basis.entries()) {
    const { value: p } = ring.moduli[index]!;
    writeLimb(
      polynomial,
      k,
      centred.map((value) => ((value % p) + p) % p),
    );
  }
  return toNtt(polynomial);
}
