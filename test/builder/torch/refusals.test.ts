import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { requireSupported } from "../../../src/builder/index.ts";
import { loadTorch } from "../../../src/builder/torch/index.ts";
import { CrcnnError } from "../../../src/errors/index.ts";
import { fixture, refusal } from "./fixtures.ts";
import {
  bytesOf,
  dict,
  global,
  integer,
  LINEAR,
  module,
  SEQUENTIAL,
  storage,
  tensor,
  text,
  torchFile,
  tuple,
} from "./pickle.ts";

function floats(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

/** A linear layer of 2 inputs and 1 output. */
function linear(
  attributes: Readonly<Record<string, string>> = {},
  weight = tensor(storage("0", 2), [1, 2], [2, 1]),
): string {
  const sizes = { in_features: integer(2), out_features: integer(1) };
  return module(LINEAR, { weight, bias: "N" }, {}, { ...sizes, ...attributes });
}

const WEIGHTS = { 0: floats(3, 4) };

describe("models made by hand", () => {
  test("a bare layer runs", () => {
    const { layers } = loadTorch(torchFile(linear(), WEIGHTS));
    expect(layers[0]).toMatchObject({ position: "0", index: 0 });
    expect([...layers[0].layer.forward({ shape: [2], data: Float64Array.of(1, 10) }).data]).toEqual([43]);
  });

  test.each([
    ["NaN", floats(1, Number.NaN)],
    ["Infinity", floats(1, Number.POSITIVE_INFINITY)],
  ])("a weight of %s is refused, naming the layer", (value, data) => {
    const error = refusal(() => loadTorch(torchFile(module(SEQUENTIAL, {}, { fc: linear() }), { 0: data })));
    expect(error.code).toBe("INVALID_FILE");
    expect(error.message).toContain(`layer fc (Linear): its weight is ${value} at element 1`);
  });

  test("a storage whose length is no number is named without what the file says", () => {
    const store = storage("0", 2).replace(integer(2), text("two\nlines"));
    const error = refusal(() => loadTorch(torchFile(linear({}, tensor(store, [1, 2], [2, 1])), WEIGHTS)));
    expect(error.message).toBe("model: the length of storage 0 is a string");
  });

  test("integer weights are refused", () => {
    const weight = tensor(storage("0", 2, "IntStorage"), [1, 2], [2, 1]);
    expect(refusal(() => loadTorch(torchFile(linear({}, weight), WEIGHTS))).code).toBe("UNSUPPORTED_FILE");
  });

  test("sizes that disagree with the weight are refused", () => {
    const error = refusal(() => loadTorch(torchFile(linear({ in_features: integer(3) }), WEIGHTS)));
    expect(error.code).toBe("INVALID_FILE");
    expect(error.message).toContain("its weight is 1x2");
  });

  test("a user's network class is refused with the reason", () => {
    const error = refusal(() => loadTorch(torchFile(module(["__main__", "Net"], {}, { fc: linear() }), WEIGHTS)));
    expect(error.code).toBe("UNSUPPORTED_MODEL");
    expect(error.message).toContain("__main__.Net");
  });

  test("a user's layer class is refused with its position", () => {
    const body = module(SEQUENTIAL, {}, { 0: linear(), 1: module(["blocks", "Residual"]) });
    const error = refusal(() => requireSupported(loadTorch(torchFile(body, WEIGHTS))));
    expect(error.code).toBe("UNSUPPORTED_LAYER");
    expect(error.message).toContain("layer 1 (Residual) is the class blocks.Residual");
  });

  test.each(["__main__", "layers", "pycrcnn.functional.square"])("Square of %s is a square", (home) => {
    expect(loadTorch(torchFile(module([home, "Square"]))).layers[0].layer.kind).toBe("Square");
  });

  test("a class named Square with weights is refused", () => {
    const weight = tensor(storage("0", 2), [2], [1]);
    const body = module(["__main__", "Square"], { weight });
    const error = refusal(() => requireSupported(loadTorch(torchFile(body, WEIGHTS))));
    expect(error.code).toBe("UNSUPPORTED_LAYER");
  });

  test.each(["os", "subprocess", "_frozen_importlib", "torch.jit", "builtins"])("Square of %s is unsafe", (home) => {
    expect(refusal(() => loadTorch(torchFile(module([home, "Square"])))).code).toBe("UNSAFE_FILE");
  });

  test.each([
    ["only looked up", `${global("layers", "Square")}0${module(["layers", "Other"])}`],
    ["called", `${global("layers", "Square")})R`],
    ["made from arguments", `${global("layers", "Square")}${tuple(integer(1))}\x81`],
    ["filled with what is no layer", `${global("layers", "Square")})\x81${dict(text("a"), integer(1))}b`],
  ])("a user's class that is %s is unsafe", (_, body) => {
    const error = refusal(() => loadTorch(torchFile(body)));
    expect(error.code).toBe("UNSAFE_FILE");
    expect(error.message).toContain("layers.Square");
  });

  test("hooks and a forward of its own are refused", () => {
    const hooked = linear({ _forward_hooks: dict(`${integer(0)}${integer(1)}`) });
    const load = (body: string): void => requireSupported(loadTorch(torchFile(body, WEIGHTS)));
    expect(refusal(() => load(hooked)).message).toContain("hooks");
    expect(refusal(() => load(linear({ forward: "N" }))).code).toBe("UNSUPPORTED_LAYER");
  });

  test("a Sequential that holds itself ends", () => {
    const inner = dict(text("a"), "h\x01", text("b"), "h\x01");
    const state = dict(text("_parameters"), "}", text("_modules"), inner);
    const body = `${global(...SEQUENTIAL)})\x81q\x01${state}b`;
    expect(refusal(() => loadTorch(torchFile(body))).code).toBe("LIMIT_EXCEEDED");
  });

  test("names cannot break a message into lines", () => {
    const body = module(SEQUENTIAL, {}, { "a\nb\u0007": module(["torch.nn.modules.activation", "ReLU"]) });
    const error = refusal(() => requireSupported(loadTorch(torchFile(body), "my\nfile.pt")));
    expect(error.message).toMatch(/^my\?file\.pt: layer a\?b\? \(ReLU\)/);
  });

  test("a safetensors file and an ONNX model are named", () => {
    const safetensors = bytesOf('\x10\0\0\0\0\0\0\0{"a":{}}');
    expect(refusal(() => loadTorch(safetensors)).message).toContain("safetensors");
    expect(refusal(() => loadTorch(bytesOf("\x08\x07\x12\x07pytorch\x3a\x01"))).message).toContain("ONNX");
  });
});

describe("batch norm made by hand", () => {
  const NORM = ["torch.nn.modules.batchnorm", "BatchNorm1d"] as const;
  const vector = (key: string): string => tensor(storage(key, 2), [2], [1]);
  const norm = (buffers: string, attributes: Readonly<Record<string, string>> = { eps: "G\x3f\xf0\0\0\0\0\0\0" }) =>
    module(NORM, { weight: "N", bias: "N" }, {}, { _buffers: buffers, ...attributes });
  const statistics = dict(text("running_mean"), vector("0"), text("running_var"), vector("1"));

  test("runs with its running statistics", () => {
    // eps is 1: (5 - 1) / sqrt(3 + 1) and (10 - 2) / sqrt(15 + 1).
    const { layers } = loadTorch(torchFile(norm(statistics), { 0: floats(1, 2), 1: floats(3, 15) }));
    expect([...layers[0].layer.forward({ shape: [2], data: Float64Array.of(5, 10) }).data]).toEqual([2, 2]);
  });

  test.each([
    [
      "a variance below zero",
      norm(statistics),
      floats(3, -5),
      "INVALID_FILE",
      /runningVar \+ eps must be positive.*-5/,
    ],
    ["statistics of different lengths", norm(statistics), floats(3, 4, 5), "INVALID_FILE", /runningVar/],
    ["no statistics", norm("}"), floats(3, 4), "UNSUPPORTED_LAYER", /layer 0 \(BatchNorm1d\) .*track_running_stats/],
    ["no eps", norm(statistics, {}), floats(3, 4), "INVALID_FILE", /its eps is missing/],
  ])("%s is refused", (_, body, variance, code, message) => {
    const length = variance.length / Float32Array.BYTES_PER_ELEMENT;
    const own = body.replace(vector("1"), tensor(storage("1", length), [length], [1]));
    const error = refusal(() => requireSupported(loadTorch(torchFile(own, { 0: floats(1, 2), 1: variance }))));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

describe("damaged files", () => {
  const MOST_MILLISECONDS = 2000;

  function survives(bytes: Uint8Array): void {
    const start = performance.now();
    try {
      loadTorch(bytes);
    } catch (error) {
      expect(error, String((error as Error).stack)).toBeInstanceOf(CrcnnError);
    }
    expect(performance.now() - start).toBeLessThan(MOST_MILLISECONDS);
  }

  describe.each(["evil/ok-control.pt", "models/lenet1-square/lenet1-square.pt"])("%s", (path) => {
    const file = fixture(path);

    test("flipped bytes", () => {
      const flip = fc.tuple(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }));
      fc.assert(
        fc.property(fc.array(flip, { minLength: 1, maxLength: 8 }), (flips) => {
          const damaged = file.slice();
          for (const [at, mask] of flips) damaged[at] ^= mask;
          survives(damaged);
        }),
        { numRuns: 300 },
      );
    });

    test("cut off", () => {
      fc.assert(
        fc.property(fc.nat(file.length - 1), (length) => {
          refusal(() => loadTorch(file.slice(0, length)));
        }),
      );
    });
  });

  test("pickles whose checksum is right", () => {
    // Behind the CRC, where flipped bytes of a file rarely come.
    const good = module(SEQUENTIAL, {}, { 0: linear(), 1: module(["layers", "Square"]) });
    const flip = fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(flip, { minLength: 1, maxLength: 4 }), (flips) => {
        const damaged = [...good];
        for (const [at, code] of flips) damaged[at] = String.fromCharCode(code);
        survives(torchFile(damaged.join(""), WEIGHTS));
      }),
      { numRuns: 2000 },
    );
  });
});
