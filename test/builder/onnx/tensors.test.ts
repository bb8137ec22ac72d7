import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readMessages } from "../../../src/builder/onnx/messages.ts";
import { readTensorData } from "../../../src/builder/onnx/tensors.ts";
import type { Constant } from "../../../src/builder/onnx/values.ts";
import { bytes, doubles, field, floats, int64s, varint } from "./writer.ts";

/** A tensor as it comes out of a file that holds it. */
function read(dataType: number, dims: readonly number[], data: Uint8Array): Constant {
  const proto = bytes(...dims.map((size) => field(1, size)), field(2, dataType), field(8, "w"), data);
  const { graph } = readMessages(bytes(field(7, field(5, proto)), field(8, field(2, 13))));
  return readTensorData(graph.initializers.get("w")!, "w", { spent: 0 });
}

const packed = (values: readonly number[]): Uint8Array => bytes(...values.map(varint));
const halves = (bits: readonly number[]): Uint8Array => new Uint8Array(Uint16Array.from(bits).buffer);
const finite = fc.array(fc.double({ noDefaultInfinity: true, noNaN: true }), { maxLength: 8 });
const singles = fc.array(fc.float({ noDefaultInfinity: true, noNaN: true }), { maxLength: 8 });
const integers = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 8 });

describe("elements, raw or in the list of their type", () => {
  test("doubles and floats", () => {
    fc.assert(
      fc.property(finite, singles, (wide, single) => {
        const wanted = Float64Array.from(wide);
        expect(read(11, [wide.length], field(9, doubles(wide))).data).toEqual(wanted);
        expect(read(11, [wide.length], field(10, doubles(wide))).data).toEqual(wanted);
        expect(read(1, [single.length], field(9, floats(single))).data).toEqual(Float64Array.from(single));
        expect(read(1, [single.length], field(4, floats(single))).data).toEqual(Float64Array.from(single));
      }),
    );
  });

  test.each([
    [10, "float16", [0x3c00, 0xc000, 0x0001, 0x7bff, 0x3555], [1, -2, 2 ** -24, 65504, 1365 / 4096]],
    [16, "bfloat16", [0x3f80, 0xc000, 0x0080, 0x3eab], [1, -2, 2 ** -126, 171 / 512]],
  ])("type %i, %s", (dataType, _name, bits, values) => {
    const wanted = Float64Array.from(values);
    expect(read(dataType, [bits.length], field(9, halves(bits))).data).toEqual(wanted);
    expect(read(dataType, [bits.length], field(5, packed(bits))).data).toEqual(wanted);
  });

  test("integers, packed or one by one", () => {
    fc.assert(
      fc.property(integers, (values) => {
        const shape = [values.length];
        expect(read(7, shape, field(9, int64s(values))).data).toEqual(values);
        expect(read(7, shape, field(7, packed(values))).data).toEqual(values);
        expect(read(7, shape, bytes(...values.map((value) => field(7, value)))).data).toEqual(values);
        expect(read(6, shape, field(9, new Uint8Array(Int32Array.from(values).buffer))).data).toEqual(values);
        expect(read(6, shape, field(5, packed(values))).data).toEqual(values);
      }),
    );
    expect(read(9, [3], field(9, Uint8Array.of(1, 0, 1))).data).toEqual([1, 0, 1]);
    expect(read(3, [2], field(9, Uint8Array.of(255, 2))).data).toEqual([-1, 2]);
  });
});
