/** Doubles as exact ratios of integers, and back with one rounding. */

const FRACTION_BITS = 52n;
const EXPONENT_BIAS = 1075;

/** The finite double `value` as numerator / 2^shift, exactly. */
export function exactRatio(value: number): { readonly numerator: bigint; readonly shift: bigint } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponentBits = Number((bits >> FRACTION_BITS) & 0x7ffn);
  const fraction = bits & ((1n << FRACTION_BITS) - 1n);
  const magnitude = exponentBits === 0 ? fraction : fraction | (1n << FRACTION_BITS);
  const exponent = Math.max(exponentBits, 1) - EXPONENT_BIAS;
  const scaled = exponent > 0 ? magnitude << BigInt(exponent) : magnitude;
  return { numerator: value < 0 ? -scaled : scaled, shift: BigInt(Math.max(0, -exponent)) };
}

/** value * factor, rounded to the nearest integer, halves away from zero. */
export function scaleToInteger(value: number, factor: bigint): bigint {
  const { numerator, shift } = exactRatio(value);
  const product = (numerator < 0n ? -numerator : numerator) * factor;
  const rounded = shift === 0n ? product : (product + (1n << (shift - 1n))) >> shift;
  return numerator < 0n ? -rounded : rounded;
}

/** Bits of a quotient that suffice for one correct rounding to a double: 53, one to round by, and some. */
const QUOTIENT_BITS = 64;

/** The double next to numerator / denominator, denominator > 0; infinite where it is too large for one. */
export function ratioToNumber(numerator: bigint, denominator: bigint): number {
  const magnitude = numerator < 0n ? -numerator : numerator;
  const excess = bitLength(magnitude) - bitLength(denominator);
  const shift = QUOTIENT_BITS - excess;
  const [dividend, divisor] =
    shift > 0 ? [magnitude << BigInt(shift), denominator] : [magnitude, denominator << BigInt(-shift)];
  const quotient = dividend / divisor;
  // A last bit that says that something follows: halves are then told from what is above them.
  const sticky = quotient * divisor === dividend ? quotient : quotient | 1n;
  // In two steps, since a power of two may be out of range where the result is not.
  const value = Number(sticky) * 2 ** -Math.floor(shift / 2) * 2 ** -Math.ceil(shift / 2);
  return numerator < 0n ? -value : value;
}

function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}
