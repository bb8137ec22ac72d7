import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readLabels } from "../../src/data/index.ts";
import { expectRefusal } from "../helpers/rlwe.ts";

const file = (name: string): Uint8Array => readFileSync(new URL(`../fixtures/data/${name}`, import.meta.url));
const idx = (type: number, shape: readonly number[], bytes: readonly number[]): Uint8Array =>
  Uint8Array.of(0, 0, type, shape.length, ...shape.flatMap((size) => [0, 0, 0, size]), ...bytes);

test("labels are read, gzipped or not", () => {
  expect(Array.from(readLabels(file("mnist16-labels-idx1-ubyte.gz"), "labels")).slice(0, 5)).toEqual([7, 2, 1, 0, 4]);
  expect(readLabels(idx(0x08, [3], [1, 255, 0]), "labels")).toEqual(Int32Array.of(1, 255, 0));
});

test("what holds no labels is refused by name", () => {
  expectRefusal(() => readLabels(file("mnist16-images-idx3-ubyte.gz"), "a.gz"), "UNSUPPORTED_FILE", /^a\.gz: .*3 axes/);
  expectRefusal(() => readLabels(file("digit0-a.png"), "b.png"), "UNSUPPORTED_FILE", /^b\.png: it is no IDX file/);
  expectRefusal(() => readLabels(idx(0x08, [3], [1, 2]), "c"), "INVALID_FILE", /^c: /);
  expectRefusal(() => readLabels(idx(0x0d, [1], [0x3f, 0, 0, 0]), "d"), "INVALID_FILE", /label 0 is 0\.5/);
});
