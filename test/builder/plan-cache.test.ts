import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CkksCompileOptions, compile, type SourceModel, savePlan } from "../../src/builder/index.ts";
import { createPlanCache, defaultCacheDirectory } from "../../src/builder/node/index.ts";
import { linearLayer, squareLayer } from "../../src/layers/index.ts";
import { chainOf } from "../helpers/chain.ts";

const model = (factor = 1, ...more: SourceModel["layers"][number]["layer"][]): SourceModel =>
  chainOf([linearLayer({ weight: { shape: [2, 2], data: [factor, 0.5, 0.25, 1] } }), ...more]);
const options: CkksCompileOptions = { inputShape: [2] };
const KEY_BYTES = 32;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "crcnn-cache-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const directory = (): string => join(folder, "plans");
const open = (version = "1", maximumBytes?: number): typeof compile =>
  createPlanCache({ directory: directory(), version, maximumBytes }).compile;
const entries = (): string[] => readdirSync(directory()).sort();
const pathOf = (entry: string): string => join(directory(), entry);

/** Puts another prediction into an entry: whoever gets it has read the entry. */
function mark(entry: string, predictedError: number): void {
  const key = readFileSync(pathOf(entry)).subarray(0, KEY_BYTES);
  writeFileSync(pathOf(entry), Buffer.concat([key, savePlan({ ...compile(model(), options), predictedError })]));
}

test("the second process finds what the first one compiled, for its owner's eyes alone", () => {
  const first = open()(model(), options);
  expect(first).toEqual(compile(model(), options));
  const [entry, ...others] = entries();
  expect(others).toEqual([]);
  expect(open()(model(), options)).toEqual(first);
  mark(entry!, 0.125);
  expect(open()(model(), options).predictedError).toBe(0.125);
  expect(statSync(directory()).mode & 0o777).toBe(0o700);
  expect(statSync(join(directory(), entries()[0]!)).mode & 0o077).toBe(0);
});

test.each<[string, () => void]>([
  ["one weight", () => open()(model(1 + 1e-15), options)],
  ["one layer", () => open()(model(1, squareLayer()), options)],
  ["the precision", () => open()(model(), { ...options, precision: 0.01 })],
  ["the range of inputs", () => open()(model(), { ...options, inputRange: [0, 2] })],
  ["the security", () => open()(model(), { ...options, security: 192 })],
  ["the objective", () => open()(model(), { ...options, objective: "throughput" })],
  ["the samples", () => open()(model(), { ...options, calibration: [{ shape: [2], data: Float64Array.of(0, 1) }] })],
  ["the program", () => open("2")(model(), options)],
])("another entry where something else is compiled: %s", (_, compileOther) => {
  open()(model(), options);
  const [entry] = entries();
  mark(entry!, 0.125);
  compileOther();
  expect(entries()).toHaveLength(2);
});

test("a default that is written out is the same as one that is left out, and a signal is no option", () => {
  open()(model(), options);
  open()(model(), { ...options, precision: 1e-3, security: 128, signal: new AbortController().signal });
  expect(entries()).toHaveLength(1);
});

describe("what is no plan of this key is compiled again, and written anew", () => {
  test.each<[string, (path: string) => void]>([
    ["an empty file", (path) => writeFileSync(path, "")],
    ["a file that was cut off", (path) => writeFileSync(path, readFileSync(path).subarray(0, 1000))],
    [
      "a byte that has changed",
      (path) => {
        const bytes = readFileSync(path);
        bytes[bytes.length - 9]! ^= 1;
        writeFileSync(path, bytes);
      },
    ],
    [
      "a plan under a name that is not its own",
      (path) => {
        open()(model(2), options);
        const other = entries().find((name) => pathOf(name) !== path)!;
        writeFileSync(path, readFileSync(pathOf(other)));
        rmSync(pathOf(other));
      },
    ],
    [
      "a link to somewhere else",
      (path) => {
        const elsewhere = join(folder, "elsewhere");
        writeFileSync(elsewhere, readFileSync(path));
        rmSync(path);
        symlinkSync(elsewhere, path);
      },
    ],
  ])("%s", (_, damage) => {
    const fresh = open()(model(), options);
    const [entry] = entries();
    const bytes = readFileSync(pathOf(entry!));
    damage(pathOf(entry!));
    expect(open()(model(), options)).toEqual(fresh);
    expect(readFileSync(pathOf(entry!))).toEqual(bytes);
    expect(statSync(pathOf(entry!)).isFile()).toBe(true);
    expect(entries()).toHaveLength(1);
  });
});

test("it stays within its bound, and what was not used for longest goes first", () => {
  open()(model(1), options);
  const [first] = entries();
  const { size } = statSync(pathOf(first!));
  const compileBounded = open("1", Math.floor(2.5 * size));
  compileBounded(model(2), options);
  const second = entries().find((name) => name !== first)!;
  // The second one is older than the first, but was read since.
  utimesSync(pathOf(first!), 1000, 1000);
  utimesSync(pathOf(second), 500, 500);
  compileBounded(model(2), options);
  compileBounded(model(3), options);
  expect(entries()).toHaveLength(2);
  expect(existsSync(pathOf(first!))).toBe(false);
  expect(existsSync(pathOf(second))).toBe(true);
  // What is too large by itself is not written.
  open("1", size - 1)(model(4), options);
  expect(entries()).toHaveLength(2);
});

test("what a process that died has left behind goes after an hour", () => {
  mkdirSync(directory());
  for (const [name, age] of [
    ["old.tmp", 4_000_000],
    ["new.tmp", 60_000],
    ["notes.txt", 4_000_000],
  ] as const) {
    writeFileSync(pathOf(name), "");
    const then = (Date.now() - age) / 1000;
    utimesSync(pathOf(name), then, then);
  }
  open()(model(), options);
  expect(entries().filter((name) => !name.endsWith(".plan"))).toEqual(["new.tmp", "notes.txt"]);
});

test("where nothing can be written or read, models are compiled all the same", () => {
  writeFileSync(directory(), "a file where the folder should be");
  expect(open()(model(), options)).toEqual(compile(model(), options));
  rmSync(directory());
  mkdirSync(directory());
  chmodSync(directory(), 0o500);
  expect(open()(model(), options)).toEqual(compile(model(), options));
});

test("what compile refuses is refused as ever", () => {
  expect(() => open()(model(), { inputShape: [3] })).toThrow(expect.objectContaining({ code: "SHAPE_MISMATCH" }));
  expect(() => open()(model(), { ...options, precision: 2 })).toThrow(RangeError);
  expect(() => open()(model(), { ...options, precision: 1e-15 })).toThrow(
    expect.objectContaining({ code: "NO_PARAMETERS" }),
  );
  expect(existsSync(directory())).toBe(false);
});

test("caches lie where the system keeps them", () => {
  expect(defaultCacheDirectory({ XDG_CACHE_HOME: "/cache" }, "linux")).toBe(join("/cache", "crcnn"));
  // Relative paths are to be ignored (XDG Base Directory Specification).
  for (const env of [{}, { XDG_CACHE_HOME: "" }, { XDG_CACHE_HOME: "cache" }]) {
    expect(defaultCacheDirectory(env, "linux")).toBe(join(homedir(), ".cache", "crcnn"));
  }
  expect(defaultCacheDirectory({}, "darwin")).toBe(join(homedir(), "Library", "Caches", "crcnn"));
  expect(defaultCacheDirectory({ LOCALAPPDATA: "local" }, "win32")).toBe(join("local", "crcnn", "Cache"));
});
