/** The secret key. Only this tier and the client's tiers above it ever see one. */

import {
  fromSigned,
  multiplyPolynomials,
  type Polynomial,
  type RandomSource,
  sampleTernary,
  systemRandom,
  toNtt,
} from "../math/index.ts";
import type { RlweContext } from "../rlwe/index.ts";

export interface SecretKey {
  readonly context: RlweContext;
  /** s over all primes, special ones included; NTT domain. */
  readonly polynomial: Polynomial<"ntt">;
  /** s^exponent, exponent >= 1; made when first needed. */
  power(exponent: number): Polynomial<"ntt">;
  /** Overwrites the key's words and gives its memory back. It must not be used any more. */
  destroy(): void;
}

/** Draws a uniform ternary secret. */
export function createSecretKey(context: RlweContext, random: RandomSource = systemRandom): SecretKey {
  const { ring, maxLevel } = context;
  const signs = sampleTernary(ring.degree, random);
  const polynomial = toNtt(fromSigned(ring, context.keyBasis(maxLevel), signs));
  signs.fill(0);
  const powers = [polynomial];
  return {
    context,
    polynomial,
    power(exponent) {
      while (powers.length < exponent) powers.push(multiplyPolynomials(powers[powers.length - 1]!, polynomial));
      return powers[exponent - 1]!;
    },
    destroy() {
      for (const { block } of powers) {
        ring.heap.words.fill(0, block.offset, block.offset + block.length);
        block.free();
      }
    },
  };
}
