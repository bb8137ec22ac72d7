import { expect, test } from "vitest";
import { readCifar10 } from "../../src/data/index.ts";
import { expectRefusal } from "../helpers/rlwe.ts";

const RECORD = 3073;
const bytes = Uint8Array.from({ length: 2 * RECORD }, (_, i) => (i % RECORD === 0 ? 7 : (31 * i) % 256));

test("one record is one image of three planes, its label left out", () => {
  const { shape, data } = readCifar10(bytes, "test_batch.bin", 1);
  expect(shape).toEqual([3, 32, 32]);
  expect(data).toHaveLength(3072);
  for (const i of [0, 1, 1024, 3071]) expect(data[i]).toBe(bytes[RECORD + 1 + i]! / 255);
});

test.each([0, 1, RECORD - 1, RECORD + 1])("%i bytes are no whole records", (length) => {
  expectRefusal(() => readCifar10(bytes.subarray(0, length), "x.bin", 0), "INVALID_FILE", /^x\.bin: .* 3073 bytes/);
});

test("a label out of range is no CIFAR-10, an image that is not there is refused", () => {
  expectRefusal(
    () =>
      readCifar10(
        bytes.map((byte, i) => (i === 0 ? 10 : byte)),
        "x.bin",
        0,
      ),
    "INVALID_FILE",
    /x\.bin/,
  );
  for (const index of [-1, 2, 0.5])
    expect(() => readCifar10(bytes, "x.bin", index)).toThrow(/from 0 to 1, the images of x\.bin/);
});
