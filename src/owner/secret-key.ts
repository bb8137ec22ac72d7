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

export interface SecretKey<C extends RlweContext = RlweContext> {
  readonly context: C;
  /** s over all primes, special ones included; NTT domain. */
  readonly polynomial: Polynomial<"ntt">;
  /** s^exponent, exponent >= 1; made when first needed. */
  power(exponent: number): Polynomial<"ntt">;
  /**
   * Overwrites the key's words and gives its memory back; a second call does nothing. Any later use throws a TypeError: words of zero
   * as a key would encrypt nothing.
   */
  destroy(): void;
}

/** Overwrites a polynomial from which the key could be found (an image of it, a product with something public), then frees it. */
export function wipePolynomial({ ring, block }: Polynomial): void {
  ring.heap.words.fill(0, block.offset, block.offset + block.length);
  block.free();
}

/** Draws a uniform ternary secret. */
export function createSecretKey<C extends RlweContext>(context: C, random: RandomSource = systemRandom): SecretKey<C> {
  const { ring, maxLevel } = context;
  const signs = sampleTernary(ring.degree, random);
  const powers = [toNtt(fromSigned(ring, context.keyBasis(maxLevel), signs))];
  signs.fill(0);
  function power(exponent: number): Polynomial<"ntt"> {
    const [first] = powers;
    if (!first) throw new TypeError("the secret key was destroyed; make a new one");
    while (powers.length < exponent) powers.push(multiplyPolynomials(powers[powers.length - 1]!, first));
    return powers[exponent - 1]!;
  }
  return {
    context,
    get polynomial() {
      return power(1);
    },
    power,
    destroy() {
      for (const polynomial of powers.splice(0)) wipePolynomial(polynomial);
    },
  };
}
