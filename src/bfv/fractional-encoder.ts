/**
 * One fixed-point number a plaintext: integer digits at the low coefficients, fraction digits negated at the high ones, since X^(N - i) is
 * -X^(-i) modulo X^N + 1, so that the polynomial at X = base is the number (Dowlin et al., "Manual for Using Homomorphic Encryption for
 * Bioinformatics", Proc. IEEE 105(3), 2017; SEAL 2's FractionalEncoder).
 */

import { CrcnnError } from "../errors/index.ts";
import type { BfvPlaintext } from "./ciphertext.ts";
import {
  createDigitSystem,
  DEFAULT_FRACTION_DIGITS,
  DEFAULT_INTEGER_DIGITS,
  evaluateAt,
  requireDigits,
  toResidue,
} from "./digits.ts";
import { requirePlainModulus } from "./operands.ts";
import type { BfvContext } from "./parameters.ts";
import { type PlaintextEncoder, requireOneValue } from "./plaintext-encoder.ts";
import { ratioToNumber, scaleToInteger } from "./rational.ts";

export interface FractionalEncoderOptions {
  /** 2 by default: binary, with the sign on every digit. Otherwise balanced digits. */
  readonly base?: number;
  /** Digits before the point, 64 by default. */
  readonly integerDigits?: number;
  /** Digits behind the point, 32 by default. Digits of both kinds together are at most N. */
  readonly fractionDigits?: number;
}

export interface FractionalEncoder extends PlaintextEncoder {
  readonly kind: "fractional";
  readonly base: number;
  readonly integerDigits: number;
  readonly fractionDigits: number;
  /**
   * Encodes the multiple of base^-fractionDigits that is next to a number.
   *
   * @throws CrcnnError VALUE_RANGE for what is not finite, or needs more integer digits.
   */
  encodeNumber(value: number): BfvPlaintext;
  /**
   * The double next to the number that the polynomial stands for. Coefficients up to the middle of the gap that fresh plaintexts leave are
   * integer digits, those above it fraction digits: each product adds the digits of its factors to both sides. Right as long as they
   * have not met, and no coefficient has left (-t/2, t/2].
   */
  decodeNumber(plaintext: BfvPlaintext): number;
}

/** Works for any t above the base's digits; it need not be a prime. @throws RangeError */
export function createFractionalEncoder(
  context: BfvContext,
  {
    base = 2,
    integerDigits = DEFAULT_INTEGER_DIGITS,
    fractionDigits = DEFAULT_FRACTION_DIGITS,
  }: FractionalEncoderOptions = {},
): FractionalEncoder {
  const { plainModulus, ring } = context;
  const { degree } = ring;
  requireDigits("integerDigits", integerDigits, degree, 1);
  requireDigits("fractionDigits", fractionDigits, degree, 0);
  if (integerDigits + fractionDigits > degree) {
    throw new RangeError(
      `integerDigits and fractionDigits must be at most the ring degree ${degree} together, got ${integerDigits} + ${fractionDigits}`,
    );
  }
  const system = createDigitSystem(context, base, integerDigits + fractionDigits);
  const unit = BigInt(base) ** BigInt(fractionDigits);
  const middle = integerDigits + Math.floor((degree - integerDigits - fractionDigits) / 2);

  const encoder: FractionalEncoder = {
    kind: "fractional",
    base,
    integerDigits,
    fractionDigits,
    capacity: 1,
    encodeNumber(value) {
      const digits = Number.isFinite(value) ? system.digitsOf(scaleToInteger(value, unit)) : undefined;
      if (!digits) {
        const [smallest, largest] = [system.smallest, system.largest].map((bound) => ratioToNumber(bound, unit));
        throw new CrcnnError(
          "VALUE_RANGE",
          `value must be a number from ${smallest} to ${largest} (${integerDigits} integer digits in base ${base}), got ${value}; raise ` +
            "integerDigits",
        );
      }
      const coefficients = new Int32Array(degree);
      for (const [i, digit] of digits.entries()) {
        const power = i - fractionDigits;
        if (power >= 0) coefficients[power] = toResidue(digit, plainModulus);
        else coefficients[degree + power] = toResidue(-digit, plainModulus);
      }
      return { coefficients, plainModulus };
    },
    decodeNumber(plaintext) {
      requirePlainModulus("decode", context, plaintext);
      const { coefficients } = plaintext;
      let lowest = middle;
      while (lowest < degree && coefficients[lowest] === 0) lowest++;
      const whole = evaluateAt(coefficients, 0, middle, base, plainModulus);
      // Coefficient N - i counts -base^-i: the lowest one that is not 0 has the smallest power.
      const fraction = evaluateAt(coefficients, lowest, degree, base, plainModulus);
      const denominator = BigInt(base) ** BigInt(degree - lowest);
      return ratioToNumber(whole * denominator - fraction, denominator);
    },
    encode: (values) => encoder.encodeNumber(requireOneValue(values)),
    decodeValues: (plaintext, count) => new Float64Array(count).fill(encoder.decodeNumber(plaintext)),
  };
  return encoder;
}
