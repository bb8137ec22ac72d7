import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isSafetensors, readSafetensors } from "../../src/builder/safetensors/read.ts";
import { safetensors } from "./safetensors.ts";
import { fixture, refusal } from "./torch/fixtures.ts";

const F32 = (shape: readonly number[], begin: number, end: number) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});
const bytes = (array: ArrayBufferView<ArrayBuffer>): Uint8Array => new Uint8Array(array.buffer);
const DATA = bytes(Float32Array.of(1, 2, 3, 4));

describe("element types", () => {
  test.each([
    ["F16", "float16", bytes(Uint16Array.of(0x3c00, 0xc100, 0x0001, 0x7bff)), [1, -2.5, 2 ** -24, 65504]],
    ["BF16", "bfloat16", bytes(Uint16Array.of(0x3f80, 0xc020, 0x0001, 0x7f7f)), [1, -2.5, 2 ** -133, 255 * 2 ** 120]],
    ["F32", "float32", bytes(Float32Array.of(1, -2.5, 2 ** -149)), [1, -2.5, 2 ** -149]],
    ["F64", "float64", bytes(Float64Array.of(1 / 3, 5e-324)), [1 / 3, 5e-324]],
  ])("%s is read exactly", (dtype, name, data, values) => {
    const shape = [values.length];
    const file = safetensors({ w: { dtype, shape, data_offsets: [0, data.length] } }, data);
    const tensor = readSafetensors(file).get("w");
    expect(tensor).toMatchObject({ dtype: name, shape });
    expect([...(tensor?.read() ?? [])]).toEqual(values);
  });

  test("integers are there, and no weights", () => {
    const file = safetensors({ n: { dtype: "I64", shape: [], data_offsets: [0, 8] } }, new Uint8Array(8));
    expect(readSafetensors(file).get("n")).toMatchObject({ dtype: "int64", shape: [] });
    expect(readSafetensors(file).get("n")?.read()).toBeUndefined();
  });

  test("every type's width counts", () => {
    const widths = { BOOL: 1, U8: 1, I8: 1, F8_E5M2: 1, F8_E4M3: 1, I16: 2, U16: 2, I32: 4, U32: 4, I64: 8, U64: 8 };
    for (const [dtype, width] of Object.entries(widths)) {
      const entry = { dtype, shape: [3], data_offsets: [0, 3 * width] };
      expect(readSafetensors(safetensors({ n: entry }, new Uint8Array(3 * width))).get("n")?.shape).toEqual([3]);
      refusal(() => readSafetensors(safetensors({ n: { ...entry, shape: [2] } }, new Uint8Array(3 * width))));
    }
  });
});

describe("the format", () => {
  test("names, metadata, padding and order", () => {
    // Tensors in another order than their elements, as the format allows.
    const header = {
      __metadata__: { format: "pt" },
      "b.w": F32([1], 12, 16),
      "a.w": F32([3], 0, 12),
      none: F32([0, 2], 12, 12),
    };
    const state = readSafetensors(safetensors(`${JSON.stringify(header)}   `, DATA));
    expect([...state.keys()]).toEqual(["b.w", "a.w", "none"]);
    expect([...state.values()].map((tensor) => [...(tensor.read() ?? [])])).toEqual([[4], [1, 2, 3], []]);
  });

  test("a view into a larger buffer is read as the file itself", () => {
    const file = safetensors({ w: F32([4], 0, 16) }, DATA);
    const padded = new Uint8Array(file.length + 13);
    padded.set(file, 5);
    const view = padded.subarray(5, 5 + file.length);
    expect([...(readSafetensors(view).get("w")?.read() ?? [])]).toEqual([1, 2, 3, 4]);
  });

  test("is told from others by its beginning", () => {
    expect(isSafetensors(fixture("models/lenet1-square/lenet1-square.safetensors"))).toBe(true);
    for (const other of [
      "models/lenet1-square/lenet1-square.pt",
      "evil/foreign/json.pt",
      "evil/foreign/zeros.pt",
      "evil/foreign/empty.pt",
    ]) {
      expect(isSafetensors(fixture(other)), other).toBe(false);
    }
    expect(isSafetensors(new TextEncoder().encode("network {"))).toBe(false);
  });

  test.each([
    [
      "an overlap",
      { a: F32([2], 0, 8), b: F32([3], 4, 16) },
      'tensor "b" begins at 4, inside of another that ends at 8',
    ],
    ["a gap", { a: F32([1], 0, 4), b: F32([2], 8, 16) }, 'no tensor covers the bytes from 4 to 8, before tensor "b"'],
    ["a gap at the beginning", { a: F32([3], 4, 16) }, "from 0 to 4"],
    ["a rest", { a: F32([3], 0, 12) }, "no tensor covers the last 4 bytes"],
    ["an end behind the file's", { a: F32([5], 0, 20) }, "ends at 20, the file has 16 bytes"],
    [
      "a shape that does not fit",
      { a: F32([5], 0, 16) },
      'tensor "a" lies from 0 to 16, where 5 of float32 takes 20 bytes',
    ],
    ["nine axes", { a: F32([1, 1, 1, 1, 1, 1, 1, 1, 4], 0, 16) }, "9 axes, at most 8"],
    ["a size of 1.5", { a: F32([1.5], 0, 6) }, "natural numbers"],
    ["one offset", { a: { dtype: "F32", shape: [4], data_offsets: [0] } }, "not two natural numbers"],
    ["no dtype", { a: { shape: [4], data_offsets: [0, 16] } }, "has no dtype"],
    ["an entry that is no object", { a: [4] }, "has no dtype"],
    [
      "a type of four bits",
      { a: { dtype: "F4", shape: [4], data_offsets: [0, 2] } },
      "of the type F4: save it as float32",
    ],
    [
      "a key twice",
      '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"\\u0061":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
      'key "a" twice',
    ],
  ])("%s is refused", (_, header, words) => {
    expect(refusal(() => readSafetensors(safetensors(header, DATA))).message).toContain(words);
  });

  test("a header that is longer than the file is refused", () => {
    for (const length of [5000n, 2n ** 63n, 2n ** 64n - 1n]) {
      expect(refusal(() => readSafetensors(safetensors("{}", DATA, length))).message).toBe(
        `its header is said to have ${Number(length)} bytes, 18 follow`,
      );
    }
  });

  test("a header of more than a mebibyte is refused before it is parsed", () => {
    const header = `{"a":${"[".repeat(2 ** 20)}`;
    expect(refusal(() => readSafetensors(safetensors(header, DATA))).code).toBe("LIMIT_EXCEEDED");
  });

  test("whatever tensors tile the elements is accepted, and nothing else", () => {
    const lengths = fc.array(fc.nat(4), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(lengths, fc.nat(5), fc.constantFrom(-4, 4), (counts, which, shift) => {
        const ends = counts.map((_, i) => 4 * counts.slice(0, i + 1).reduce((sum, count) => sum + count));
        const entries = counts.map((count, i) => F32([count], ends[i] - 4 * count, ends[i]));
        const fileOf = (tensors: typeof entries): Uint8Array =>
          safetensors(
            Object.fromEntries(tensors.map((entry, i) => [`t${i}`, entry])),
            new Uint8Array(ends.at(-1) ?? 0),
          );
        expect(readSafetensors(fileOf(entries)).size).toBe(counts.length);
        const at = which % counts.length;
        // An empty tensor may lie at any seam; one of some length has no other place.
        if (counts[at] === 0) return;
        const offsets = entries[at].data_offsets.map((offset) => offset + shift);
        refusal(() => readSafetensors(fileOf(entries.with(at, { ...entries[at], data_offsets: offsets }))));
      }),
    );
  });
});
