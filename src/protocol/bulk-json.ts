/** JSON that is a few long strings: what a parser would build of anything else is bounded before it is built. */

import { CrcnnError } from "../errors/index.ts";

const QUOTE = 34;
const BACKSLASH = 92;
/** What opens or separates values: `[`, `{` and `,`. */
const STRUCTURE: readonly number[] = [91, 123, 44];

export interface BulkLimits {
  /** Most values: a parser takes dozens of bytes for each, however short it is. */
  readonly values: number;
}

/**
 * Parses JSON from a side that need not be trusted, once its values are counted.
 *
 * @param what For messages, as `the body`.
 * @throws CrcnnError INVALID_MESSAGE for what is no JSON object, LIMIT_EXCEEDED for more values than `values`.
 */
export function parseBulkJson(bytes: Uint8Array, what: string, { values }: BulkLimits): Record<string, unknown> {
  requireFewValues(bytes, what, values);
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new CrcnnError("INVALID_MESSAGE", `${what} is not JSON`);
  }
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
  throw new CrcnnError("INVALID_MESSAGE", `${what} is not a JSON object`);
}

function requireFewValues(bytes: Uint8Array, what: string, most: number): void {
  let count = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === QUOTE) {
      i = endOfString(bytes, i);
      if (i < 0) throw new CrcnnError("INVALID_MESSAGE", `${what} is not JSON: a string in it has no end`);
    } else if (STRUCTURE.includes(bytes[i]!)) {
      count++;
      if (count > most)
        throw new CrcnnError("LIMIT_EXCEEDED", `${what} has more than the ${most} values that are read`);
    }
  }
}

/** Where the quote stands that ends the string which begins at `start`; -1 where none does. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let end = bytes.indexOf(QUOTE, start + 1); end >= 0; end = bytes.indexOf(QUOTE, end + 1)) {
    let escapes = 0;
    while (bytes[end - 1 - escapes] === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return -1;
}
