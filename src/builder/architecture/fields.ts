/** Those fields of a description from which the shapes of weights follow, read with checks. */

import { show } from "../source/text.ts";
import { malformed } from "./errors.ts";

/** Keeps products of a few sizes exact in a double. */
const MAX_SIZE = 2 ** 31 - 1;

/** Every method throws INVALID_ARCHITECTURE naming the field by its path. */
export interface FieldReader {
  /** An integer from 1 on; `fallback` where the field is left out, an error without one. */
  size(name: string, fallback?: number): number;
  /** So many sizes, from as many or one for all. */
  sizes(name: string, count: number): number[];
  /** A size that `divisor` groups share evenly: the size of one. */
  divided(name: string, divisor: number): number;
  /** True or false; `fallback` where the field is left out. */
  flag(name: string, fallback: boolean): boolean;
}

export function fieldReader(description: Readonly<Record<string, unknown>>, path: string): FieldReader {
  const sizeOf = (value: unknown, place: string): number => {
    if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_SIZE) return value as number;
    if (value === undefined) throw malformed(place, `is missing: an integer from 1 on`);
    throw malformed(place, `must be an integer from 1 to ${MAX_SIZE}, got ${show(value)}`);
  };
  const size = (name: string, fallback?: number): number =>
    sizeOf(description[name] === undefined ? fallback : description[name], `${path}.${name}`);

  return {
    size,
    sizes(name, count) {
      const value = description[name];
      if (!Array.isArray(value)) return new Array<number>(count).fill(size(name));
      if (value.length === count) return value.map((entry, i) => sizeOf(entry, `${path}.${name}[${i}]`));
      throw malformed(`${path}.${name}`, `must be an integer or a list of ${count}, got ${show(value)}`);
    },
    divided(name, divisor) {
      const whole = size(name);
      if (whole % divisor === 0) return whole / divisor;
      throw malformed(`${path}.groups`, `must divide ${name}, got ${divisor} groups of ${whole}`);
    },
    flag(name, fallback) {
      const value = description[name] ?? fallback;
      if (typeof value === "boolean") return value;
      throw malformed(`${path}.${name}`, `must be true or false, got ${show(value)}`);
    },
  };
}
