import { afterEach, describe, expect, test } from "vitest";
import { isOnnx, loadOnnx, requireSupported, runModel } from "../../../src/builder/index.ts";
import { tensor } from "../../../src/plan/index.ts";
import { fixture, jsonFixture, refusal } from "../torch/fixtures.ts";

const { files } = jsonFixture<{ files: { file: string; answer: "loads" | "error" }[] }>("evil/onnx/manifest.json");
const MOST_MILLISECONDS = 1000;
const MOST_BYTES = 200e6;
const PROTOTYPE = Reflect.ownKeys(Object.prototype);

afterEach(() => {
  expect(Reflect.ownKeys(Object.prototype)).toEqual(PROTOTYPE);
});

const memory = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

test("there are 36", () => expect(files).toHaveLength(36));

test.each(files)("$file: $answer", ({ file, answer }) => {
  const bytes = fixture(`evil/onnx/${file}`);
  const [start, before] = [performance.now(), memory()];
  if (answer === "loads") {
    const model = loadOnnx(bytes, file);
    requireSupported(model);
    expect([...runModel(model, tensor([2], [5, 7])).data]).toEqual([26, 38]);
  } else {
    const error = refusal(() => requireSupported(loadOnnx(bytes, file)));
    expect(error.message.startsWith(`${file}: `)).toBe(true);
  }
  expect(performance.now() - start).toBeLessThan(MOST_MILLISECONDS);
  expect(memory() - before).toBeLessThan(MOST_BYTES);
});

describe("what is wrong is said", () => {
  test.each([
    ["truncated-0.onnx", "INVALID_FILE", "no graph"],
    ["truncated-half.onnx", "INVALID_FILE", "cut off"],
    ["truncated-minus1.onnx", "INVALID_FILE", "cut off"],
    ["varint-overlong.onnx", "INVALID_FILE", "more than 64 bits"],
    ["length-4g.onnx", "INVALID_FILE", "4294967295 bytes, 0 are left"],
    ["wire-type-7.onnx", "INVALID_FILE", "wire type 7"],
    ["group-wire-type.onnx", "INVALID_FILE", "wire type 3"],
    ["opset-999.onnx", "UNSUPPORTED_FILE", "version 999"],
    ["unknown-op.onnx", "UNSUPPORTED_LAYER", "node 0 (Teleport)"],
    ["unknown-domain.onnx", "UNSUPPORTED_LAYER", 'the domain "com.example"'],
    ["proto-op.onnx", "UNSUPPORTED_LAYER", "node 0 (__proto__)"],
    ["constructor-op.onnx", "UNSUPPORTED_LAYER", "node 0 (constructor)"],
    ["missing-input.onnx", "INVALID_FILE", 'takes "nowhere"'],
    ["cycle.onnx", "INVALID_FILE", 'takes "b", which nothing before it makes'],
    ["duplicate-output.onnx", "INVALID_FILE", 'makes "y" a second time'],
    ["no-output.onnx", "INVALID_FILE", "no output"],
    ["dims-huge.onnx", "LIMIT_EXCEEDED", "elements"],
    ["dims-negative.onnx", "INVALID_FILE", "-2x-2"],
    ["dims-mismatch.onnx", "INVALID_FILE", "needs 6 elements of float32, it has 4"],
    ["dtype-string.onnx", "UNSUPPORTED_FILE", "string"],
    ["dtype-77.onnx", "UNSUPPORTED_FILE", "type 77"],
    ["external-traversal.onnx", "UNSUPPORTED_FILE", '"../../../../etc/hostname"'],
    ["external-missing.onnx", "UNSUPPORTED_FILE", '"weights.bin"'],
    ["gemm-alpha-nan.onnx", "INVALID_FILE", "its alpha is NaN"],
    ["conv2-pads-negative.onnx", "INVALID_FILE", "pads [-9, 0, 0, 0]"],
    ["conv2-group-3.onnx", "INVALID_FILE", "groups must divide"],
  ])("%s is %s: %s", (file, code, words) => {
    const error = refusal(() => loadOnnx(fixture(`evil/onnx/${file}`), file));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });
});

test("other files do not begin as an ONNX file does", () => {
  for (const path of [
    "models/linear/linear.pt",
    "models/linear/linear.legacy.pt",
    "data/digit0-a.png",
    "data/mnist16-images-idx3-ubyte.gz",
    "samples/mnist16.input.npy",
    "evil/foreign/hdf5.pt",
    "evil/foreign/zeros.pt",
    "evil/foreign/empty.pt",
    "evil/foreign/json.pt",
  ]) {
    expect(isOnnx(fixture(path))).toBe(false);
  }
  expect(refusal(() => loadOnnx(fixture("models/linear/linear.pt"), "linear.pt")).code).toBe("INVALID_FILE");
  expect(() => loadOnnx("model.onnx" as unknown as Uint8Array)).toThrow(TypeError);
});
