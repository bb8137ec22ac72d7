import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadTorch } from "../../../src/builder/torch/index.ts";
import { fixture, refusal } from "./fixtures.ts";
import { dict, global, integer, LINEAR, legacyFile, module, storage, tensor, text, tuple } from "./pickle.ts";

/** The address of a storage in the process that wrote the file. */
const KEY = "94872565139632";
const WEIGHTS = { [KEY]: { length: 2, bytes: new Uint8Array(Float32Array.of(3, 4).buffer) } };
const SIZES = { in_features: integer(2), out_features: integer(1) };

function linear(store = storage(KEY, 2), attributes: Readonly<Record<string, string>> = {}): string {
  return module(LINEAR, { weight: tensor(store, [1, 2], [2, 1]), bias: "N" }, {}, { ...SIZES, ...attributes });
}

function outputOf(file: Uint8Array): number[] {
  const [{ layer }] = loadTorch(file).layers;
  return [...layer.forward({ shape: [2], data: Float64Array.of(1, 10) }).data];
}

describe("the format before torch 1.6", () => {
  test("a bare layer runs", () => expect(outputOf(legacyFile(linear(), WEIGHTS))).toEqual([43]));

  test("a class may stand with its source text, which is not looked at", () => {
    const named = tuple(text("module"), global(...LINEAR), text("linear.py"), text("import os"));
    const body = linear().replace(global(...LINEAR), `${named}Q`);
    expect(outputOf(legacyFile(body, WEIGHTS))).toEqual([43]);
  });

  test("what layers held before torch 1.3 and strings of Python 2 are read", () => {
    const backend = `${global("torch.nn.backends.thnn", "_get_thnn_function_backend")})R`;
    expect(outputOf(legacyFile(linear(storage(KEY, 2), { _backend: backend }), WEIGHTS))).toEqual([43]);
    const short = linear().replace(text("in_features"), "U\x0bin_features");
    expect(outputOf(legacyFile(short, WEIGHTS))).toEqual([43]);
  });

  test("a later pickle protocol has a frame before the magic number", () => {
    const protocol = "\x80\x04\x95\x0d\0\0\0\0\0\0\0";
    expect(outputOf(legacyFile(linear(), WEIGHTS, { protocol }))).toEqual([43]);
  });

  test("only the content tells: the name of the file says nothing", () => {
    expect(loadTorch(legacyFile(linear(), WEIGHTS), "model.zip").layers).toHaveLength(1);
  });

  const view = tuple(
    text("storage"),
    global("torch", "FloatStorage"),
    text(KEY),
    text("cpu"),
    integer(2),
    tuple(text("1"), integer(0), integer(2)),
  );

  test.each([
    ["another version", legacyFile(linear(), WEIGHTS, { version: 1000 }), "UNSUPPORTED_FILE", "version 1000"],
    ["facts that are none", legacyFile(linear(), WEIGHTS, { machine: "N" }), "INVALID_FILE", "byte order"],
    [
      "a big-endian machine",
      legacyFile(linear(), WEIGHTS, { machine: dict(text("little_endian"), "\x89") }),
      "UNSUPPORTED_FILE",
      "big-endian",
    ],
    [
      "a storage in the facts",
      legacyFile(linear(), WEIGHTS, { machine: storage(KEY, 2) }),
      "INVALID_FILE",
      "refers to a storage",
    ],
    [
      "a function with source text",
      legacyFile(`${tuple(text("module"), global("torch", "Size"), text(""), text(""))}Q`),
      "INVALID_FILE",
      "no class",
    ],
    [
      "a class of the standard library with source text",
      legacyFile(`${tuple(text("module"), global("os", "system"), text(""), text(""))}Q`),
      "UNSAFE_FILE",
      "os.system",
    ],
    [
      "a class that is only named with source text",
      legacyFile(`${tuple(text("module"), global("layers", "Square"), text(""), text(""))}Q0${linear()}`, WEIGHTS),
      "UNSAFE_FILE",
      "layers.Square",
    ],
    ["a view of a storage", legacyFile(linear(`${view}Q`), WEIGHTS), "UNSUPPORTED_FILE", "view of another"],
    [
      "a negative length",
      legacyFile(linear(storage(KEY, -2)), { [KEY]: { ...WEIGHTS[KEY]!, length: -2 } }),
      "INVALID_FILE",
      "is the number -2",
    ],
    [
      "a length beyond the file",
      legacyFile(linear(storage(KEY, 2 ** 30)), { [KEY]: { ...WEIGHTS[KEY]!, length: 2 ** 30 } }),
      "INVALID_FILE",
      "cut off",
    ],
    [
      "elements that the tensor needs and the storage lacks",
      legacyFile(linear(storage(KEY, 1)), { [KEY]: { length: 1, bytes: new Uint8Array(4) } }),
      "INVALID_FILE",
      "reaches element 1 of a storage of 1",
    ],
    [
      "a storage described in two ways",
      legacyFile(
        module(LINEAR, {
          weight: tensor(storage(KEY, 2), [1, 2], [2, 1]),
          bias: tensor(storage(KEY, 2, "IntStorage"), [1], [1]),
        }),
        WEIGHTS,
      ),
      "INVALID_FILE",
      "two ways",
    ],
    [
      "a storage that nothing uses",
      legacyFile(linear(), { ...WEIGHTS, 7: { length: 0, bytes: new Uint8Array(0) } }),
      "INVALID_FILE",
      'names "7"',
    ],
    [
      "bytes after the last storage",
      Uint8Array.from([...legacyFile(linear(), WEIGHTS), 0]),
      "INVALID_FILE",
      "1 bytes follow",
    ],
  ])("%s is refused", (_, file, code, words) => {
    const error = refusal(() => loadTorch(file));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });

  test("a list of storages that names one twice is refused", () => {
    const once = legacyFile(linear(), WEIGHTS);
    const twice = [...String.fromCharCode(...once)].join("").replace(`](${text(KEY)}e`, `](${text(KEY)}${text(KEY)}e`);
    const error = refusal(() => loadTorch(Uint8Array.from(twice, (character) => character.charCodeAt(0))));
    expect(error.message).toContain("twice");
  });

  describe.each(["models/lenet1-square/lenet1-square.legacy.pt", "evil/ok-control.legacy.pth"])(
    "%s, damaged",
    (path) => {
      const file = fixture(path);
      const MOST_MILLISECONDS = 2000;

      test("cut off anywhere", () => {
        fc.assert(
          fc.property(fc.nat(file.length - 1), (length) => {
            refusal(() => loadTorch(file.slice(0, length)));
          }),
        );
      });

      test("flipped bytes", () => {
        // Most of a file is weights, where a flip only gives another weight: half of the flips fall on its first part.
        const at = fc.oneof(fc.nat(file.length - 1), fc.nat(Math.min(file.length - 1, 4000)));
        const flip = fc.tuple(at, fc.integer({ min: 1, max: 255 }));
        fc.assert(
          fc.property(fc.array(flip, { minLength: 1, maxLength: 8 }), (flips) => {
            const damaged = file.slice();
            for (const [position, mask] of flips) damaged[position] ^= mask;
            const start = performance.now();
            try {
              loadTorch(damaged);
            } catch (error) {
              refusal(() => {
                throw error;
              });
            }
            expect(performance.now() - start).toBeLessThan(MOST_MILLISECONDS);
          }),
          { numRuns: 500 },
        );
      });
    },
  );
});
