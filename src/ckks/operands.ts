/** Checks of operands: errors that name the figures and the remedy. */

import { CrcnnError } from "../errors/index.ts";
import {
  type Ciphertext,
  type KeySwitchingKey,
  modulusBits,
  type RlweContext,
  rotationElement,
} from "../rlwe/index.ts";
import type { CkksCiphertext } from "./ciphertext.ts";
import type { Plaintext } from "./encoder.ts";
import { formatScale } from "./scale.ts";

/** What a key is asked for: a ciphertext, plain or raised, at its level. */
interface Leveled {
  readonly level: number;
}

export interface OperandChecks {
  requireOwn(operation: string, ciphertext: Ciphertext): void;
  requireAligned(operation: string, left: CkksCiphertext, right: CkksCiphertext): void;
  requirePlaintext(operation: string, ciphertext: CkksCiphertext, plaintext: Plaintext): void;
  requireTwoComponents(operation: string, ciphertext: CkksCiphertext): void;
  requireThreeComponents(operation: string, ciphertext: CkksCiphertext): void;
  requireRoom(operation: string, scale: number, level: number): void;
  requirePrimeLeft(operation: string, ciphertext: Leveled & { readonly scale: number }): void;
  requireKey(key: KeySwitchingKey | undefined, ciphertext: Leveled, name: string): KeySwitchingKey;
  /** The Galois element of a rotation, and how to call it in messages. */
  rotation(steps: number): { readonly element: number; readonly name: string };
}

export function createOperandChecks(context: RlweContext): OperandChecks {
  const { ring } = context;

  function requireOwn(operation: string, ciphertext: Ciphertext): void {
    if (ciphertext.context !== context) {
      throw new CrcnnError(
        "FOREIGN_OBJECT",
        `${operation}: the ciphertext belongs to parameters ${ciphertext.context.id}, the evaluator to ${context.id}; use an evaluator ` +
          "made from the ciphertext's own context",
      );
    }
  }

  function requireAligned(operation: string, left: CkksCiphertext, right: CkksCiphertext): void {
    requireOwn(operation, left);
    requireOwn(operation, right);
    if (left.level === right.level) return;
    const lower = Math.min(left.level, right.level);
    throw new CrcnnError(
      "LEVEL_MISMATCH",
      `${operation}: the operands are at levels ${left.level} and ${right.level}; bring both to level ${lower} with dropLevel`,
    );
  }

  function requirePlaintext(operation: string, ciphertext: CkksCiphertext, plaintext: Plaintext): void {
    requireOwn(operation, ciphertext);
    if (plaintext.polynomial.ring !== ring) {
      throw new CrcnnError(
        "FOREIGN_OBJECT",
        `${operation}: the plaintext was encoded for other parameters; encode it again`,
      );
    }
    if (plaintext.level >= ciphertext.level) return;
    throw new CrcnnError(
      "LEVEL_MISMATCH",
      `${operation}: the plaintext is at level ${plaintext.level}, the ciphertext at level ${ciphertext.level}; encode the plaintext at ` +
        `level ${ciphertext.level}, or bring the ciphertext down with dropLevel`,
    );
  }

  function requireTwoComponents(operation: string, ciphertext: CkksCiphertext): void {
    requireOwn(operation, ciphertext);
    if (ciphertext.components.length === 2) return;
    throw new CrcnnError(
      "COMPONENT_COUNT",
      `${operation} takes ciphertexts of 2 components, got one of ${ciphertext.components.length}; relinearize it first`,
    );
  }

  /** A product whose scale alone fills the modulus has no room for any value. */
  function requireRoom(operation: string, scale: number, level: number): void {
    const bits = modulusBits(context.parameters.dataPrimes.slice(0, level + 1));
    if (Math.log2(scale) + 1 < bits) return;
    throw new CrcnnError(
      "SCALE_OVERFLOW",
      `${operation}: the product's scale ${formatScale(scale)} does not fit the ${bits.toFixed(1)} bits of level ${level}; rescale the ` +
        "operands first, or use parameters with a longer chain",
    );
  }

  function requireKey(key: KeySwitchingKey | undefined, ciphertext: Leveled, name: string): KeySwitchingKey {
    if (key && key.level >= ciphertext.level) return key;
    const problem = key ? `reaches only level ${key.level}` : "was not supplied";
    throw new CrcnnError(
      "MISSING_KEY",
      `the key for ${name} at level ${ciphertext.level} ${problem}; let the key's owner make it and hand it to the evaluator`,
    );
  }

  function requireThreeComponents(operation: string, ciphertext: CkksCiphertext): void {
    requireOwn(operation, ciphertext);
    if (ciphertext.components.length === 3) return;
    throw new CrcnnError(
      "COMPONENT_COUNT",
      `${operation} takes a ciphertext of 3 components, got one of ${ciphertext.components.length}; relinearize after each product`,
    );
  }

  function requirePrimeLeft(operation: string, { level, scale }: Leveled & { readonly scale: number }): void {
    if (level > 0) return;
    throw new CrcnnError(
      "LEVEL_EXHAUSTED",
      `${operation}: the ciphertext is at level 0 with scale ${formatScale(scale)}, no prime is left; use parameters with a longer ` +
        "chain, or have the key's owner refresh the ciphertext",
    );
  }

  function rotation(steps: number): { element: number; name: string } {
    if (!Number.isInteger(steps)) throw new RangeError(`steps must be an integer, got ${steps}`);
    return { element: rotationElement(ring.degree, steps), name: `a rotation by ${steps} slots` };
  }

  return {
    requireOwn,
    requireAligned,
    requirePlaintext,
    requireTwoComponents,
    requireThreeComponents,
    requireRoom,
    requirePrimeLeft,
    requireKey,
    rotation,
  };
}
