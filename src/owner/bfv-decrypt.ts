/** Decryption of BFV, and how much noise a ciphertext can still take. Both are for the key's owner alone. */

import type { BfvCiphertext, BfvContext, BfvPlaintext } from "../bfv/index.ts";
import { CrcnnError } from "../errors/index.ts";
import {
  conversionScalars,
  copyPolynomial,
  type Domain,
  limbOffset,
  type Polynomial,
  type Ring,
  toNtt,
} from "../math/index.ts";
import { decryptPhase } from "./decrypt.ts";
import { type SecretKey, wipePolynomial } from "./secret-key.ts";

/** Budgets below this count as none: where noise has filled the modulus, what is left is below it but for chance (e^-30 at N = 1024). */
const LEAST_BUDGET = 0.05;

/**
 * round(t (c_0 + c_1 s + … + c_d s^d) / Q) modulo t, for any number of components (Halevi, Polyakov, Shoup, CT-RSA 2019, section 4.5:
 * simple scaling).
 *
 * @throws CrcnnError PRECISION_LOST when no noise budget is left, FOREIGN_OBJECT when the ciphertext belongs to other parameters.
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
  // Where the integer is right, what is left of it is the noise.
  let farthest = 0;
  const coefficients = new Int32Array(degree);
  for (let i = 0; i < degree; i++) {
    const sum = sums[i]!;
    const whole = Math.floor(sum);
    farthest = Math.max(farthest, Math.abs(sum - whole - 0.5));
    // In (-t, 2t): the quotient is right to one. No branch depends on the message.
    let residue = (whole - Math.floor(whole * inverse) * plainModulus) | 0;
    residue += (residue >> 31) & plainModulus;
    residue -= plainModulus;
    coefficients[i] = residue + ((residue >> 31) & plainModulus);
  }
  sums.fill(0);
  wipePolynomial(phase);
  if (-Math.log2(2 * farthest) < LEAST_BUDGET) {
    coefficients.fill(0);
    throw new CrcnnError(
      "PRECISION_LOST",
      "decrypt: the ciphertext's noise budget is used up, so its values are lost; do fewer products, use a larger ring degree or a smaller " +
        "plainModulus, or refresh earlier",
    );
  }
  return { coefficients, plainModulus };
}

/**
 * SEAL's invariant noise budget, in bits: -log2 (2 |v|), where t/Q (c_0 + c_1 s + …) = m + v modulo t and |v| is the largest coefficient
 * of v; exact. Decryption is right while it is above 0. It is 0 where less than 0.05 bits are left.
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
  const budget = log2(product) - 1 - (largest === 0n ? 0 : log2(largest));
  return budget < LEAST_BUDGET ? 0 : budget;
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
  const scalars = conversionScalars(ring, phase.basis);
  for (const [j, limb] of limbs.entries()) {
    ring.kernels.multiplyScalar(limb, limb, scalars[j]!, ring.degree, ring.moduli[phase.basis[j]!]!);
  }
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
