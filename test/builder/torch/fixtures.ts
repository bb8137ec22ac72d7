import { existsSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import { readNpy } from "../../../src/data/index.ts";
import { CrcnnError, ERROR_CODES } from "../../../src/errors/index.ts";
import { sizeOf, type Tensor } from "../../../src/plan/index.ts";

const ROOT = new URL("../../fixtures/", import.meta.url);

export function fixture(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(path, ROOT)));
}

export function hasFixture(path: string): boolean {
  return existsSync(new URL(path, ROOT));
}

export function jsonFixture<T>(path: string): T {
  return JSON.parse(new TextDecoder().decode(fixture(path))) as T;
}

/** The rows of an array whose first axis is the batch. */
export function batchFixture(path: string): Tensor[] {
  const { shape, data } = readNpy(fixture(path));
  const row = shape.slice(1);
  const size = sizeOf(row);
  return Array.from({ length: shape[0] }, (_, i) => ({ shape: row, data: data.slice(i * size, (i + 1) * size) }));
}

/** Largest difference relative to the largest wanted value. */
export function relativeError(got: Tensor, want: Tensor): number {
  expect(got.shape).toEqual(want.shape);
  const largest = want.data.reduce((most, value) => Math.max(most, Math.abs(value)), Number.MIN_VALUE);
  return got.data.reduce((most, value, i) => Math.max(most, Math.abs(value - want.data[i])), 0) / largest;
}

/** The error of a call that must throw a CrcnnError with a stable code and a message of one line. */
export function refusal(call: () => unknown): CrcnnError {
  try {
    call();
  } catch (error) {
    expect(error, String((error as Error).stack)).toBeInstanceOf(CrcnnError);
    const refused = error as CrcnnError;
    expect(Object.keys(ERROR_CODES)).toContain(refused.code);
    expect(refused.message).toMatch(/^[^\p{Cc}\p{Zl}\p{Zp}]{10,500}$/u);
    return refused;
  }
  throw new Error("it was accepted");
}
