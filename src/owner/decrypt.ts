/** Decryption. What it returns is for the key's owner: shared with others, its noise would leak the key (IND-CPA-D). */

import { CrcnnError } from "../errors/index.ts";
import { addPolynomials, dotProduct, type Polynomial, toCoefficients } from "../math/index.ts";
import type { Ciphertext } from "../rlwe/index.ts";
import { type SecretKey, wipePolynomial } from "./secret-key.ts";

/**
 * c_0 + c_1 s + … + c_d s^d modulo q_0 … q_level: the message with its noise, in coefficient form.
 *
 * @throws CrcnnError FOREIGN_OBJECT when the ciphertext belongs to other parameters.
 */
export function decryptPhase(secret: SecretKey, ciphertext: Ciphertext): Polynomial<"coefficient"> {
  if (ciphertext.context !== secret.context) {
    throw new CrcnnError(
      "FOREIGN_OBJECT",
      `decrypt: the ciphertext belongs to parameters ${ciphertext.context.id}, the key to ${secret.context.id}; use the key that it was ` +
        "encrypted for",
    );
  }
  const [first, ...others] = ciphertext.components as [Polynomial<"ntt">, ...Polynomial<"ntt">[]];
  const masked = dotProduct(
    first.basis,
    others,
    others.map((_, i) => secret.power(i + 1)),
  );
  const phase = addPolynomials(first, masked);
  wipePolynomial(masked);
  return toCoefficients(phase);
}
