/** The attributes of a node, read with checks. One that nobody reads would change the result unnoticed, so it is an error. */

import { CrcnnError } from "../../errors/index.ts";
import { printable } from "../source/text.ts";
import type { OnnxAttribute, OnnxNode, OnnxTensor } from "./messages.ts";

export interface Attributes {
  /** A whole number; `fallback` where it is not there, an error without one. */
  integer(name: string, fallback?: number): number;
  /** True for 1, false for 0. */
  flag(name: string, fallback: boolean): boolean;
  integers(name: string): readonly number[] | undefined;
  /** A finite number in single precision. */
  float(name: string, fallback: number): number;
  floats(name: string): readonly number[] | undefined;
  text(name: string, fallback: string): string;
  tensor(name: string): OnnxTensor | undefined;
  /** Reads attributes that do not matter here. */
  ignore(...names: readonly string[]): void;
  /** @throws CrcnnError UNSUPPORTED_LAYER naming an attribute that has not been read. */
  requireAllRead(): void;
}

/** @param label what messages call the node. */
export function attributesOf({ attributes }: OnnxNode, label: string): Attributes {
  const read = new Set<string>();

  function find(name: string): OnnxAttribute | undefined {
    read.add(name);
    return attributes.get(name);
  }

  /** The value of an attribute that must hold one of this kind; a writer of proto3 leaves out zeros. */
  function single<T>(name: string, kind: "integer" | "float" | "text", zero: T): T | undefined {
    const attribute = find(name);
    if (attribute === undefined) return undefined;
    const others = (["integer", "float", "text", "tensor"] as const).filter((other) => other !== kind);
    const foreign = others.some((other) => attribute[other] !== undefined);
    if (foreign || attribute.integers.length + attribute.floats.length > 0) {
      throw new CrcnnError("INVALID_FILE", `${label}: its ${name} is not a single ${kind}`);
    }
    return (attribute[kind] as T | undefined) ?? zero;
  }

  const own: Attributes = {
    integer(name, fallback) {
      const value = single(name, "integer", 0) ?? fallback;
      if (Number.isSafeInteger(value)) return value as number;
      throw new CrcnnError("INVALID_FILE", `${label}: its ${name} is ${value === undefined ? "missing" : value}`);
    },
    flag(name, fallback) {
      const value = own.integer(name, Number(fallback));
      if (value === 0 || value === 1) return value === 1;
      throw new CrcnnError("INVALID_FILE", `${label}: its ${name} is ${value}, expected 0 or 1`);
    },
    integers: (name) => find(name)?.integers,
    float(name, fallback) {
      const value = single(name, "float", 0) ?? fallback;
      if (Number.isFinite(value)) return value;
      throw new CrcnnError("INVALID_FILE", `${label}: its ${name} is ${value}`);
    },
    floats: (name) => find(name)?.floats,
    text: (name, fallback) => printable(single(name, "text", "") ?? fallback),
    tensor: (name) => find(name)?.tensor,
    ignore(...names) {
      for (const name of names) read.add(name);
    },
    requireAllRead() {
      for (const name of attributes.keys()) {
        if (read.has(name)) continue;
        throw new CrcnnError("UNSUPPORTED_LAYER", `${label} has the attribute "${printable(name)}", unknown here`);
      }
    },
  };
  return own;
}
