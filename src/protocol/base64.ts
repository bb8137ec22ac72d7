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
  const { length } = text;
  if (length % 4 !== 0) return refuse(`it has ${length} characters, no multiple of 4`);
  const codes = encoder.encode(text);
  if (codes.length !== length) return refuse("it holds characters that are no digits");
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((length / 4) * 3 - padding);
  const digits = length - padding;
  let [word, out] = [0, 0];
  for (let i = 0; i < length; i++) {
    const digit = i < digits ? DIGITS[codes[i]!]! : 0;
    if (digit === NO_DIGIT) return refuse(`character ${i} is no digit`);
    word = (word << 6) | digit;
    if (i % 4 !== 3) continue;
    for (let shift = 16; shift >= 0; shift -= 8) {
      if (out < bytes.length) bytes[out++] = word >> shift;
      else if ((word >> shift) & 255) return refuse("its last digit has bits that belong to no byte");
    }
    word = 0;
  }
  return bytes;
}
