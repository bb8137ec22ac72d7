/** Checks of operands: errors that name the figures and the remedy. */

import { CrcnnError } from "../errors/index.ts";
import type { Domain } from "../math/index.ts";
import type { KeySwitchingKey } from "../rlwe/index.ts";
import { type BfvCiphertext, type BfvPlaintext, domainOf } from "./ciphertext.ts";
import type { BfvContext } from "./parameters.ts";
import type { BfvFactor } from "./plaintext.ts";

/** @throws CrcnnError FOREIGN_OBJECT for a plaintext with another modulus or of another length. */
export function requirePlainModulus(operation: string, context: BfvContext, plaintext: BfvPlaintext): void {
  const { plainModulus, ring } = context;
  if (plaintext.plainModulus === plainModulus && plaintext.coefficients.length === ring.degree) return;
  throw new CrcnnError(
    "FOREIGN_OBJECT",
    `${operation}: the plaintext has ${plaintext.coefficients.length} coefficients modulo ${plaintext.plainModulus}, the parameters want ` +
      `${ring.degree} modulo ${plainModulus}; encode it with an encoder made from the same context`,
  );
}

/** @throws RangeError */
export function requireSafeInteger(what: string, value: number): void {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${what} must be an integer below 2^53, got ${value}`);
}

export interface OperandChecks {
  requireOwn(operation: string, ciphertext: BfvCiphertext): void;
  requireAligned(operation: string, left: BfvCiphertext, right: BfvCiphertext): void;
  /** Both in one domain, for operations that work in either. */
  requireOneDomain(operation: string, left: BfvCiphertext, right: BfvCiphertext): void;
  /** At least one, all of one level, domain and number of components. */
  requireAlike(operation: string, ciphertexts: readonly BfvCiphertext[]): void;
  /** Types say so, too; what comes from JavaScript has none. */
  requireNtt(operation: string, ciphertext: BfvCiphertext): void;
  requireComponents(operation: string, ciphertext: BfvCiphertext, count: number): void;
  requireFactor(operation: string, ciphertext: BfvCiphertext, factor: BfvFactor): void;
  requireKey(key: KeySwitchingKey | undefined, ciphertext: BfvCiphertext, name: string): KeySwitchingKey;
  requirePrimeLeft(operation: string, ciphertext: BfvCiphertext): void;
}

export function createOperandChecks(context: BfvContext): OperandChecks {
  function requireOwn(operation: string, ciphertext: BfvCiphertext): void {
    if (ciphertext.context === context) return;
    throw new CrcnnError(
      "FOREIGN_OBJECT",
      `${operation}: the ciphertext belongs to parameters ${ciphertext.context.id}, the evaluator to ${context.id}; use an evaluator made ` +
        "from the ciphertext's own context",
    );
  }
  function requireAligned(operation: string, left: BfvCiphertext, right: BfvCiphertext): void {
    requireOwn(operation, left);
    requireOwn(operation, right);
    if (left.level === right.level) return;
    throw new CrcnnError(
      "LEVEL_MISMATCH",
      `${operation}: the operands are at levels ${left.level} and ${right.level}; bring both to level ` +
        `${Math.min(left.level, right.level)} with switchModulus`,
    );
  }

  function requireOneDomain(operation: string, left: BfvCiphertext, right: BfvCiphertext): void {
    const [l, r]: Domain[] = [domainOf(left), domainOf(right)];
    if (l === r) return;
    throw new CrcnnError(
      "DOMAIN_MISMATCH",
      `${operation}: one operand is in NTT form, the other, a product, in coefficient form; convert either with toNtt or toCoefficients`,
    );
  }

  function requireComponents(operation: string, ciphertext: BfvCiphertext, count: number): void {
    requireOwn(operation, ciphertext);
    const { length } = ciphertext.components;
    if (length === count) return;
    const remedy = count === 2 ? "relinearize it first" : "relinearize after each product";
    throw new CrcnnError(
      "COMPONENT_COUNT",
      `${operation} takes a ciphertext of ${count} components, got one of ${length}; ${remedy}`,
    );
  }

  return {
    requireOwn,
    requireAligned,
    requireOneDomain,
    requireAlike(operation, ciphertexts) {
      const [first] = ciphertexts;
      if (!first) throw new RangeError(`${operation} needs at least one term`);
      for (const each of ciphertexts) {
        requireAligned(operation, first, each);
        requireOneDomain(operation, first, each);
        requireComponents(operation, each, first.components.length);
      }
    },
    requireNtt(operation, ciphertext) {
      requireOwn(operation, ciphertext);
      if (domainOf(ciphertext) === "ntt") return;
      throw new CrcnnError(
        "DOMAIN_MISMATCH",
        `${operation} takes a ciphertext in NTT form, got a product in coefficient form; relinearize it first, or convert it with toNtt`,
      );
    },
    requireComponents,
    requireFactor(operation, ciphertext, factor) {
      if (factor.context !== context) {
        throw new CrcnnError(
          "FOREIGN_OBJECT",
          `${operation}: the factor belongs to parameters ${factor.context.id}, the evaluator to ${context.id}; prepare it again`,
        );
      }
      if (factor.level >= ciphertext.level) return;
      throw new CrcnnError(
        "LEVEL_MISMATCH",
        `${operation}: the factor is at level ${factor.level}, the ciphertext at level ${ciphertext.level}; prepare the factor at level ` +
          `${ciphertext.level}, or bring the ciphertext down with switchModulus`,
      );
    },
    requireKey(key, ciphertext, name) {
      if (key && key.level >= ciphertext.level) return key;
      // Where no key can exist, that is the answer.
      context.digits(ciphertext.level);
      const problem = key ? `reaches only level ${key.level}` : "was not supplied";
      throw new CrcnnError(
        "MISSING_KEY",
        `the key for ${name} at level ${ciphertext.level} ${problem}; let the key's owner make it and hand it to the evaluator`,
      );
    },
    requirePrimeLeft(operation, { level }) {
      if (level > 0) return;
      throw new CrcnnError(
        "LEVEL_EXHAUSTED",
        `${operation}: the ciphertext is at level 0, no prime is left; use parameters with a longer chain, or have the key's owner refresh ` +
          "the ciphertext",
      );
    },
  };
}
