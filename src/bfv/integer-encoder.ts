/** One integer a plaintext: its digits as coefficients, so that the polynomial at X = base is the integer (SEAL 2's IntegerEncoder). */

import { CrcnnError } from "../errors/index.ts";
import type { BfvPlaintext } from "./ciphertext.ts";
import { createDigitSystem, DEFAULT_INTEGER_DIGITS, evaluateAt, requireDigits, toResidue } from "./digits.ts";
import { requirePlainModulus } from "./operands.ts";
import type { BfvContext } from "./parameters.ts";
import { type PlaintextEncoder, requireOneValue } from "./plaintext-encoder.ts";

export interface IntegerEncoderOptions {
  /** 2 by default: binary, with the sign on every digit. Otherwise balanced digits. */
  readonly base?: number;
  /** Digits that a fresh plaintext may have, 64 by default; products have more, up to N. */
  readonly digits?: number;
}

export interface IntegerEncoder extends PlaintextEncoder {
  readonly kind: "integer";
  readonly base: number;
  readonly digits: number;
  /** @throws CrcnnError VALUE_RANGE for what is no integer, or needs more digits. */
  encodeInteger(value: number | bigint): BfvPlaintext;
  /** The centred coefficients' sum with the powers of the base. Right as long as no coefficient has left (-t/2, t/2]. */
  decodeInteger(plaintext: BfvPlaintext): bigint;
}

/** Works for any t above the base's digits; it need not be a prime. @throws RangeError */
export function createIntegerEncoder(
  context: BfvContext,
  { base = 2, digits = DEFAULT_INTEGER_DIGITS }: IntegerEncoderOptions = {},
): IntegerEncoder {
  const { plainModulus, ring } = context;
  requireDigits("digits", digits, ring.degree, 1);
  const system = createDigitSystem(context, base, digits);
  const encoder: IntegerEncoder = {
    kind: "integer",
    base,
    digits,
    capacity: 1,
    encodeInteger(value) {
      const found = typeof value === "bigint" || Number.isInteger(value) ? system.digitsOf(BigInt(value)) : undefined;
      if (!found) {
        throw new CrcnnError(
          "VALUE_RANGE",
          `value must be an integer from ${system.smallest} to ${system.largest} (${digits} digits in base ${base}), got ${value}; raise digits`,
        );
      }
      const coefficients = new Int32Array(ring.degree);
      for (const [i, digit] of found.entries()) coefficients[i] = toResidue(digit, plainModulus);
      return { coefficients, plainModulus };
    },
    decodeInteger(plaintext) {
      requirePlainModulus("decode", context, plaintext);
      return evaluateAt(plaintext.coefficients, 0, ring.degree, base, plainModulus);
    },
    encode: (values) => encoder.encodeInteger(requireOneValue(values)),
    decodeValues(plaintext, count) {
      const value = encoder.decodeInteger(plaintext);
      const rounded = Number(value);
      if (!Number.isSafeInteger(rounded)) {
        throw new CrcnnError(
          "VALUE_RANGE",
          `the decoded integer ${value} is not below 2^53 and no exact number; read it with decodeInteger`,
        );
      }
      return new Float64Array(count).fill(rounded);
    },
  };
  return encoder;
}
