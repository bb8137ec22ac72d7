/** JSON from files: JSON.parse with what it leaves open decided. */

import { CrcnnError } from "../../errors/index.ts";
import { printable } from "./text.ts";

/** Lists and objects within each other: a safetensors header has three, an architecture two a nested Sequential. */
const MAX_DEPTH = 64;

/** Whole strings, and what gives a text of JSON its structure. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g;

/**
 * The value of a text of JSON, in which no object has a key twice and nothing is nested deeper than {@link MAX_DEPTH}. The caller bounds its length.
 *
 * @param what names the text in messages: `its header`.
 * @throws CrcnnError INVALID_FILE or LIMIT_EXCEEDED.
 */
export function parseJson(text: string, what: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CrcnnError("INVALID_FILE", `${what} is not JSON: ${printable((cause as Error).message)}`, { cause });
  }
  checkStructure(text, what);
  return value;
}

/** Walks over a text that is known to be JSON. */
function checkStructure(text: string, what: string): void {
  /** The keys so far of each open object; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  /** The next string is a key, in an object. */
  let beforeKey = false;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{" || token === "[") {
      if (open.length === MAX_DEPTH) {
        throw new CrcnnError("LIMIT_EXCEEDED", `${what} nests lists and objects more than ${MAX_DEPTH} deep`);
      }
      open.push(token === "{" ? new Set() : undefined);
      beforeKey = true;
    } else if (token === "}" || token === "]") {
      open.pop();
      beforeKey = false;
    } else if (token === ",") {
      beforeKey = true;
    } else if (beforeKey) {
      const keys = open[open.length - 1];
      const key = JSON.parse(token) as string;
      if (keys?.has(key)) throw new CrcnnError("INVALID_FILE", `${what} has the key "${printable(key)}" twice`);
      keys?.add(key);
      beforeKey = false;
    }
  }
}
