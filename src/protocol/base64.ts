/** Base64 (RFC 4648, section 4) through tables: strings of code points are slow for megabytes, and not every runtime has more. */

import { CrcnnError } from "../errors/index.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PADDING = 61;
/** ASCII codes of the digits. */
const CODES = new TextEncoder().encode(ALPHABET);
const NO_DIGIT = 255;
/** Digits of ASCII codes, {@link NO_DIGIT} for what is none. */
const DIGITS = new Uint8Array(256).fill(NO_DIGIT);
for (const [digit, code] of CODES.entries()) DIGITS[code] = digit;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Characters that this many bytes take, with padding. */
export function base64Length(bytes: number): number {
  return 4 * Math.ceil(bytes / 3);
}

export function encodeBase64(bytes: Uint8Array): string {
  const { length } = bytes;
  const text = new Uint8Array(base64Length(length)).fill(PADDING);
  for (let i = 0, out = 0; i < length; i += 3, out += 4) {
    const word = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text[out] = CODES[word >> 18]!;
    text[out + 1] = CODES[(word >> 12) & 63]!;
    if (i + 1 < length) text[out + 2] = CODES[(word >> 6) & 63]!;
    if (i + 2 < length) text[out + 3] = CODES[word & 63]!;
  }
  return decoder.decode(text);
}

/**
 * Reads what {@link encodeBase64} writes, and nothing else: the standard alphabet, padded, without spaces, unused bits 0.
 *
 * @param name For the message.
 * @throws CrcnnError INVALID_MESSAGE
 */
export function decodeBase64(text: string, name: string): Uint8Array<ArrayBuffer> {
  const refuse = (problem: string): never => {
    throw new CrcnnError("INVALID_MESSAGE", `${name} must be base64 (RFC 4648, padded): ${problem}`);
  };
  const codes = encoder.encode(text);
  /** Four digits add up to 252 at most: a larger sum says that one is none. */
  const refuseDigit = (at: number): never => {
    const wrong = [0, 1, 2, 3].find((i) => DIGITS[codes[at + i]!] === NO_DIGIT) ?? 0;
    return refuse(`character ${at + wrong} is no digit`);
  };
  const { length } = text;
  if (length % 4 !== 0) return refuse(`it has ${length} characters, no multiple of 4`);
  if (codes.length !== length) return refuse("it holds characters that are no digits");
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((length / 4) * 3 - padding);
  const whole = length - (padding > 0 ? 4 : 0);
  for (let i = 0, out = 0; i < whole; i += 4, out += 3) {
    const [a, b, c, d] = [DIGITS[codes[i]!]!, DIGITS[codes[i + 1]!]!, DIGITS[codes[i + 2]!]!, DIGITS[codes[i + 3]!]!];
    if (a + b + c + d >= NO_DIGIT) return refuseDigit(i);
    bytes[out] = (a << 2) | (b >> 4);
    bytes[out + 1] = (b << 4) | (c >> 2);
    bytes[out + 2] = (c << 6) | d;
  }
  if (padding > 0) {
    const [a, b, c] = [
      DIGITS[codes[whole]!]!,
      DIGITS[codes[whole + 1]!]!,
      padding === 1 ? DIGITS[codes[whole + 2]!]! : 0,
    ];
    if (a + b + c >= NO_DIGIT) return refuseDigit(whole);
    if ((padding === 2 ? b & 15 : c & 3) !== 0) return refuse("its last digit has bits that belong to no byte");
    bytes[bytes.length - 1] = padding === 2 ? (a << 2) | (b >> 4) : (b << 4) | (c >> 2);
    if (padding === 1) bytes[bytes.length - 2] = (a << 2) | (b >> 4);
  }
  return bytes;
}
