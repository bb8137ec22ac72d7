/** Decryption of BFV, and how much noise a ciphertext can still take. Both are for the key's owner alone. */

import type { BfvCiphertext, BfvContext, BfvPlaintext } from "../bfv/index.ts";
import {
  copyPolynomial,
  type Domain,
  limbOffset,
  type Polynomial,
  type Ring,
  scaleLimbForConversion,
  toNtt,
} from "../math/index.ts";
import { decryptPhase } from "./decrypt.ts";
import { type SecretKey, wipePolynomial } from "./secret-key.ts";

/**
 * round(t (c_0 + c_1 s + … + c_d s^d) / Q) modulo t, for any number of components (Halevi, Polyakov, Shoup, CT-RSA 2019, section 4.5:
 * simple scaling). Correct while the noise budget is above 2^-18 bits.
 *
 * @throws CrcnnError FOREIGN_OBJECT when the ciphertext belongs to other parameters.
 */
export function decryptBfv(secret: SecretKey<BfvContext>, ciphertext: BfvCiphertext): BfvPlaintext {
  const { ring, plainModulus } = secret.context;
  const phase = phaseOf(secret, ciphertext);
  const { degree, heap, moduli } = ring;
  const limbs = conversionLimbs(ring, phase);
  const sums = new Float64Array(degree).fill(0.5);
  for (const [j, index] of phase.basis.entries()) {
    const limb = heap.words.subarray(limbs[j]!, limbs[j]! + degree);
    const factor = plainModulus / moduli[index]!.value;
    for (let i = 0; i < degree; i++) sums[i] = sums[i]! + limb[i]! * factor;
  }
  const inverse = 1 / plainModulus;
  const coefficients = Int32Array.from(sums, (sum) => {
    const whole = Math.floor(sum);
    const residue = whole - Math.floor(whole * inverse) * plainModulus;
    return residue < 0 ? residue + plainModulus : residue >= plainModulus ? residue - plainModulus : residue;
  });
  sums.fill(0);
  wipePolynomial(phase);
  return { coefficients, plainModulus };
}

/**
 * SEAL's invariant noise budget, in bits: -log2 (2 |v|), where t/Q (c_0 + c_1 s + …) = m + v modulo t and |v| is the largest coefficient
 * of v; exact. Decryption is right while it is above 0; it is 0 where nothing is left.
 *
 * A budget depends on the secret key and on the encrypted values: it must not be shared.
 *
 * @throws CrcnnError FOREIGN_OBJECT when the ciphertext belongs to other parameters.
 */
export function noiseBudget(secret: SecretKey<BfvContext>, ciphertext: BfvCiphertext): number {
  const { ring, plainModulus } = secret.context;
  const { degree, heap, moduli } = ring;
  const phase = phaseOf(secret, ciphertext);
  const limbs = conversionLimbs(ring, phase).map((limb) => heap.words.slice(limb, limb + degree));
  const primes = phase.basis.map((index) => BigInt(moduli[index]!.value));
  wipePolynomial(phase);
  const product = primes.reduce((left, right) => left * right, 1n);
  const factors = primes.map((prime) => (BigInt(plainModulus) * product) / prime);
  let largest = 0n;
  for (let i = 0; i < degree; i++) {
    let sum = 0n;
    for (const [j, factor] of factors.entries()) sum += BigInt(limbs[j]![i]!) * factor;
    const residue = sum % product;
    const magnitude = 2n * residue > product ? product - residue : residue;
    if (magnitude > largest) largest = magnitude;
  }
  for (const limb of limbs) limb.fill(0);
  return largest === 0n ? log2(product) - 1 : Math.max(0, log2(product) - log2(largest) - 1);
}

/** log2 of a positive integer of any size. */
function log2(value: bigint): number {
  const digits = value.toString(16);
  // 13 hexadecimal digits are 52 bits.
  return Math.log2(Number.parseInt(digits.slice(0, 13), 16)) + 4 * Math.max(0, digits.length - 13);
}

/** Multiplies limbs in place by (Q / q_j)^-1 and returns where they stand: y_j with phase / Q = sum of y_j / q_j, modulo 1. */
function conversionLimbs(ring: Ring, phase: Polynomial<"coefficient">): number[] {
  const limbs = phase.basis.map((_, j) => limbOffset(phase, j));
  for (const [j, limb] of limbs.entries()) scaleLimbForConversion(ring, limb, phase.basis, j);
  return limbs;
}

function phaseOf(secret: SecretKey<BfvContext>, ciphertext: BfvCiphertext): Polynomial<"coefficient"> {
  if (isNtt(ciphertext)) return decryptPhase(secret, ciphertext);
  const components = (ciphertext as BfvCiphertext<"coefficient">).components.map((each) => toNtt(copyPolynomial(each)));
  try {
    return decryptPhase(secret, { ...ciphertext, components });
  } finally {
    for (const { block } of components) block.free();
  }
}

function isNtt(ciphertext: BfvCiphertext<Domain>): ciphertext is BfvCiphertext<"ntt"> {
  return ciphertext.components[0]?.domain === "ntt";
}
