import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { CrcnnError } from "../../src/errors/index.ts";

export function fixture(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../fixtures/${path}`, import.meta.url)));
}

/** The error of a call that must throw a CrcnnError with a message of one line. */
export function refusal(call: () => unknown): CrcnnError {
  try {
    call();
  } catch (error) {
    expect(error, String((error as Error).stack)).toBeInstanceOf(CrcnnError);
    expect((error as Error).message).toMatch(/^[^\n\r]{10,500}$/);
    return error as CrcnnError;
  }
  throw new Error("it was accepted");
}

/** A `.npy` file around raw element bytes. */
export function npy(
  descr: string,
  shape: readonly number[],
  data: Uint8Array,
  fortran = false,
  version = 1,
): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const header = `{'descr': ${descr}, 'fortran_order': ${fortran ? "True" : "False"}, 'shape': (${sizes}), }\n`;
  const length = new Uint8Array(version === 1 ? 2 : 4);
  length[0] = header.length;
  return concat([0x93, ...ascii("NUMPY"), version, 0], length, ascii(header), data);
}

export function idx(type: number, shape: readonly number[], data: Uint8Array): Uint8Array {
  const sizes = shape.flatMap((size) => [size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255]);
  return concat([0, 0, type, shape.length, ...sizes], data);
}

export function ascii(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}

export function concat(...parts: readonly (readonly number[] | Uint8Array)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
