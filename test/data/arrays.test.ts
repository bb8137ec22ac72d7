import { describe, expect, test } from "vitest";
import { readIdx, readNpy } from "../../src/data/index.ts";
import { ascii, idx, npy, refusal } from "./fixtures.ts";

function bytes(array: ArrayBufferView, bigEndian: boolean, width: number): Uint8Array {
  const raw = new Uint8Array(array.buffer.slice(0)) as Uint8Array<ArrayBuffer>;
  if (bigEndian) for (let at = 0; at < raw.length; at += width) raw.subarray(at, at + width).reverse();
  return raw;
}

describe("npy", () => {
  const types: readonly [string, ArrayBufferView, number[]][] = [
    ["f8", Float64Array.of(1 / 3, -5e-324), [1 / 3, -5e-324]],
    ["f4", Float32Array.of(0.5, -2.25), [0.5, -2.25]],
    [
      "f2",
      Uint16Array.of(0x3c00, 0xc100, 0x0001, 0x7bff, 0x7c00),
      [1, -2.5, 2 ** -24, 65504, Number.POSITIVE_INFINITY],
    ],
    ["i8", BigInt64Array.of(-(2n ** 53n), 7n), [-(2 ** 53), 7]],
    ["i4", Int32Array.of(-(2 ** 31), 5), [-(2 ** 31), 5]],
    ["i2", Int16Array.of(-32768, 5), [-32768, 5]],
    ["i1", Int8Array.of(-128, 5), [-128, 5]],
    ["u8", BigUint64Array.of(2n ** 53n, 7n), [2 ** 53, 7]],
    ["u4", Uint32Array.of(2 ** 32 - 1, 5), [2 ** 32 - 1, 5]],
    ["u2", Uint16Array.of(65535, 5), [65535, 5]],
    ["u1", Uint8Array.of(255, 5), [255, 5]],
    ["b1", Uint8Array.of(0, 1), [0, 1]],
  ];

  test.each(types)("%s in both byte orders and all versions", (type, array, wanted) => {
    const width = Number(type.slice(1));
    for (const version of [1, 2, 3]) {
      for (const [order, big] of [
        ["<", false],
        [">", true],
        ["|", false],
      ] as const) {
        const read = readNpy(npy(`'${order}${type}'`, [wanted.length], bytes(array, big, width), false, version));
        expect(read).toEqual({ shape: [wanted.length], data: Float64Array.from(wanted) });
      }
    }
  });

  test("Fortran order is turned into C order", () => {
    const shape = [2, 3, 4];
    const stored = new Float64Array(24);
    for (let a = 0; a < 2; a++) {
      for (let b = 0; b < 3; b++) for (let c = 0; c < 4; c++) stored[a + 2 * b + 6 * c] = 100 * a + 10 * b + c;
    }
    const { data } = readNpy(npy("'<f8'", shape, new Uint8Array(stored.buffer), true));
    expect([...data]).toEqual(
      [0, 1].flatMap((a) => [0, 1, 2].flatMap((b) => [0, 1, 2, 3].map((c) => 100 * a + 10 * b + c))),
    );
  });

  test("a scalar has no axis", () => {
    expect(readNpy(npy("'<f8'", [], new Uint8Array(Float64Array.of(3).buffer)))).toEqual({
      shape: [],
      data: Float64Array.of(3),
    });
  });

  const eight = new Uint8Array(8);
  test.each([
    ["objects", npy("'|O'", [1], eight), "UNSUPPORTED_FILE", "elements are O"],
    ["records", npy("[('a', '<f8')]", [1], eight), "UNSUPPORTED_FILE", "structured"],
    ["complex", npy("'<c8'", [1], eight), "UNSUPPORTED_FILE", "c8"],
    ["cut off", npy("'<f8'", [2], eight), "INVALID_FILE", "cut off: 16 bytes of data are declared, 8 are there"],
    ["too long", npy("'<f4'", [1], eight), "INVALID_FILE", "4 bytes follow"],
    ["huge", npy("'<f8'", [2 ** 31, 2 ** 31], eight), "LIMIT_EXCEEDED", "2147483648x2147483648"],
    ["of many axes", npy("'<f8'", Array(9).fill(1), eight), "LIMIT_EXCEEDED", "9 axes"],
    ["empty", npy("'<f8'", [0], eight), "INVALID_FILE", "empty"],
    ["of version 9", npy("'<f8'", [1], eight, false, 9), "INVALID_FILE", "version is 9"],
    [
      "without a shape",
      Uint8Array.from([0x93, ...ascii("NUMPY"), 1, 0, 2, 0, ...ascii("{}")]),
      "INVALID_FILE",
      "shape",
    ],
    ["cut in its header", Uint8Array.from([0x93, ...ascii("NUMPY"), 1, 0, 2]), "INVALID_FILE", "header"],
    ["not npy", eight, "INVALID_FILE", "numpy.save"],
  ])("a file that is %s is refused", (_, file, code, words) => {
    const error = refusal(() => readNpy(file));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });
});

describe("IDX", () => {
  const types: readonly [number, ArrayBufferView, number, number[]][] = [
    [0x08, Uint8Array.of(0, 255), 1, [0, 255]],
    [0x09, Int8Array.of(-128, 5), 1, [-128, 5]],
    [0x0b, Int16Array.of(-32768, 5), 2, [-32768, 5]],
    [0x0c, Int32Array.of(-7, 5), 4, [-7, 5]],
    [0x0d, Float32Array.of(0.5, -2.25), 4, [0.5, -2.25]],
    [0x0e, Float64Array.of(1 / 3, 5), 8, [1 / 3, 5]],
  ];

  test.each(types)("type %i", (type, array, width, wanted) => {
    const { shape, data, unsignedBytes } = readIdx(idx(type, [2], bytes(array, true, width)));
    expect(shape).toEqual([2]);
    expect([...data]).toEqual(wanted);
    expect(unsignedBytes).toBe(type === 0x08);
  });

  test.each([
    ["of another type", idx(0x0a, [1], new Uint8Array(1)), "INVALID_FILE"],
    ["cut off", idx(8, [3], new Uint8Array(2)), "INVALID_FILE"],
    ["cut in its header", Uint8Array.of(0, 0, 8, 3, 0), "INVALID_FILE"],
    ["too long", idx(8, [1], new Uint8Array(2)), "INVALID_FILE"],
    ["huge", idx(8, [2 ** 30, 2 ** 30, 2 ** 30], new Uint8Array(2)), "LIMIT_EXCEEDED"],
  ])("a file that is %s is refused", (_, file, code) => {
    expect(refusal(() => readIdx(file)).code).toBe(code);
  });
});
