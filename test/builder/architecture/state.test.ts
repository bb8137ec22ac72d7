import { describe, expect, test } from "vitest";
import { type Architecture, readModel, runModel } from "../../../src/builder/index.ts";
import { floatTensors, safetensors } from "../safetensors.ts";
import { fixture, refusal } from "../torch/fixtures.ts";
import { dict, global, integer, module, storage, tensor, text, torchFile } from "../torch/pickle.ts";

const LINEAR: Architecture = [{ kind: "Linear", inFeatures: 2, outFeatures: 1 }];
const WEIGHT = [
  [1, 2],
  [3, 4],
] as const;
const BIAS = [[1], [5]] as const;
const FILE = { "0.weight": WEIGHT, "0.bias": BIAS };

function answer(tensors: Parameters<typeof floatTensors>[0], architecture: Architecture = LINEAR): number[] {
  const model = readModel(floatTensors(tensors), { architecture });
  return [...runModel(model, { shape: [2], data: Float64Array.of(1, 10) }).data];
}

describe("weights that do not fit the architecture", () => {
  test.each([
    [
      "a missing weight",
      { "0.bias": BIAS },
      'no entry "0.weight", which architecture[0] (Linear) needs with the shape 1x2; it has 0.bias',
    ],
    [
      "a missing bias",
      { "0.weight": WEIGHT },
      'no entry "0.bias", which architecture[0] (Linear) needs with the shape 1; it has 0.weight; write "bias": false at architecture[0]',
    ],
    ["no weights", {}, "it has none"],
    [
      "a weight of another shape",
      {
        ...FILE,
        "0.weight": [
          [2, 1],
          [3, 4],
        ],
      },
      'entry "0.weight" has the shape 2x1, architecture[0] (Linear) needs 1x2',
    ],
    [
      "a weight of another rank",
      { ...FILE, "0.bias": [[], [5]] },
      'entry "0.bias" has the shape of a scalar, architecture[0] (Linear) needs 1',
    ],
    [
      "an unexpected entry",
      {
        ...FILE,
        "1.weight": [
          [2, 1],
          [0, 0],
        ],
      },
      'the entry "1.weight" of shape 2x1, which belongs to no layer of the architecture; the layers are 0 (Linear)',
    ],
    [
      "an entry that counts batches, of a layer that does not",
      { ...FILE, "0.num_batches_tracked": [[1], [0]] },
      '"0.num_batches_tracked"',
    ],
    ["a prefix that only one weight has", { "module.0.weight": WEIGHT, "net.0.bias": BIAS }, 'no entry "0.weight"'],
    ["one weight with a prefix", { "module.0.weight": WEIGHT, "0.bias": BIAS }, 'no entry "0.weight"'],
  ] as const)("%s", (_, tensors, words) => {
    const error = refusal(() => readModel(floatTensors(tensors), { architecture: LINEAR, name: "w.safetensors" }));
    expect(error.code).toBe("STATE_MISMATCH");
    expect(error.message).toMatch(/^w\.safetensors: its /);
    expect(error.message).toContain(words);
  });

  test.each([
    ["infinite", Number.POSITIVE_INFINITY, "INVALID_FILE", "its weight is Infinity at element 1"],
    ["no number", Number.NaN, "INVALID_FILE", "its weight is NaN at element 1"],
  ])("a weight that is %s", (_, value, code, words) => {
    const error = refusal(() =>
      readModel(
        floatTensors({
          ...FILE,
          "0.weight": [
            [1, 2],
            [1, value],
          ],
        }),
        { architecture: LINEAR },
      ),
    );
    expect(error.code).toBe(code);
    expect(error.message).toContain(`layer 0 (Linear): ${words}`);
  });

  test("weights that are integers", () => {
    const header = {
      "0.weight": { dtype: "I32", shape: [1, 2], data_offsets: [0, 8] },
      "0.bias": { dtype: "F32", shape: [1], data_offsets: [8, 12] },
    };
    const error = refusal(() => readModel(safetensors(header, new Uint8Array(12)), { architecture: LINEAR }));
    expect(error.message).toBe("model: layer 0 (Linear): its weight is int32: save model.float()");
  });
});

describe("wrappers", () => {
  test.each([[""], ["module."], ["_orig_mod."], ["model."], ["module._orig_mod."], ["_orig_mod.module.model."]])(
    "%j before every key is passed over",
    (prefix) => {
      const tensors = Object.fromEntries(Object.entries(FILE).map(([key, value]) => [prefix + key, value]));
      expect(answer(tensors)).toEqual([48]);
    },
  );

  test("a layer may have a wrapper's name", () => {
    const own: Architecture = [{ kind: "Sequential", name: "module", layers: [...(LINEAR as [])] }];
    expect(answer({ "module.0.weight": WEIGHT, "module.0.bias": BIAS }, own)).toEqual([48]);
    expect(answer({ "module.module.0.weight": WEIGHT, "module.module.0.bias": BIAS }, own)).toEqual([48]);
  });

  test("messages name the keys as the file has them", () => {
    const error = refusal(() => readModel(floatTensors({ "module.0.weight": WEIGHT }), { architecture: LINEAR }));
    expect(error.message).toContain('no entry "module.0.bias"');
  });
});

describe("one bare layer", () => {
  test("has no prefix", () => {
    const bare: Architecture = { kind: "Linear", inFeatures: 2, outFeatures: 1 };
    const model = readModel(floatTensors({ weight: WEIGHT, bias: BIAS }), { architecture: bare });
    expect(model.layers).toMatchObject([{ position: "0", index: 0 }]);
    expect(answer({ weight: WEIGHT, bias: BIAS }, bare)).toEqual([48]);
  });

  test.each(["ok-control.pt", "ok-control.legacy.pth", "safetensors/ok-control.safetensors", "storage/big-endian.pt"])(
    "%s is one",
    (file) => {
      const model = readModel(fixture(`evil/${file}`), {
        architecture: { kind: "Linear", inFeatures: 2, outFeatures: 2, bias: false },
      });
      // The matrix is [[1, 2], [3, 4]].
      expect([...runModel(model, { shape: [2], data: Float64Array.of(1, 10) }).data]).toEqual([21, 43]);
    },
  );
});

describe("what torch.save wraps around a state_dict", () => {
  const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
  const DATA = { 0: floats(3, 4), 1: floats(5) };
  const entries = [
    text("0.weight") + tensor(storage("0", 2), [1, 2], [2, 1]),
    text("0.bias") + tensor(storage("1", 1), [1], [1]),
  ];
  const state = dict(...entries);
  const read = (body: string) => readModel(torchFile(body, DATA), { architecture: LINEAR });
  const run = (body: string): number => runModel(read(body), { shape: [2], data: Float64Array.of(1, 10) }).data[0];

  test.each(["model_state_dict", "state_dict", "model"])("a checkpoint has it under %s, beside other things", (key) => {
    const optimizer =
      text("optimizer_state_dict") +
      dict(text("state") + dict(integer(0) + dict(text("step") + tensor(storage("1", 1), [1], [1]))));
    const loss = text("loss") + tensor(storage("1", 1), [1], [1]);
    expect(run(dict(text("epoch") + integer(3), loss, optimizer, text(key) + state))).toBe(48);
  });

  test("two of them are one too many", () => {
    const error = refusal(() => read(dict(text("model") + state, text("state_dict") + state)));
    expect(error.code).toBe("UNSUPPORTED_FILE");
    expect(error.message).toContain("dictionaries under state_dict and model");
  });

  test("more weights than are read are counted before any is", () => {
    // One element, seen as 2^24 of them.
    const wide = tensor(storage("1", 1), [2 ** 12, 2 ** 12], [0, 0]);
    const layer = { kind: "Linear", inFeatures: 2 ** 12, outFeatures: 2 ** 12, bias: false } as const;
    const body = dict(...[0, 1, 2].map((i) => text(`${i}.weight`) + wide));
    const error = refusal(() => readModel(torchFile(body, DATA), { architecture: [layer, layer, layer] }));
    expect(error.message).toBe("model: layer 2 (Linear): the network has more than 33554432 weights up to here");
    expect(error.code).toBe("LIMIT_EXCEEDED");
  });

  test("a whole network gives what its state_dict() would", () => {
    const inner = module(
      ["net", "Block"],
      { weight: tensor(storage("0", 2), [1, 2], [2, 1]), bias: "N" },
      {},
      {
        _buffers: dict(
          text("bias") + tensor(storage("1", 1), [1], [1]),
          text("scratch") + tensor(storage("1", 1), [1], [1]),
        ),
        _non_persistent_buffers_set: `${global("__builtin__", "set")}${`(](${text("scratch")}et`}R`,
      },
    );
    const net = module(["net", "Net"], {}, { 0: inner, unused: "N" });
    expect(run(net)).toBe(48);
    expect(refusal(() => readModel(torchFile(net, DATA))).message).toContain(
      "list its layers, load(source, { architecture })",
    );
  });

  test("networks that hold themselves, or names without an end, are refused", () => {
    // Each module is put into the memo and holds the one before it under two names: 2^20 paths.
    const empty = module(["net", "Net"]);
    const doubled = Array.from({ length: 20 }).reduce<string>(
      (inner) => module(["net", "Net"], {}, { a: `${inner}q\x01`, b: "h\x01" }),
      empty,
    );
    const long = Array.from({ length: 6 }).reduce<string>(
      (inner) => module(["net", "Net"], {}, { ["x".repeat(200)]: inner }),
      empty,
    );
    for (const [body, words] of [
      [doubled, "more than 10000 layers and weights"],
      [long, "a name of more than 1000 characters"],
    ] as const) {
      const error = refusal(() => read(body));
      expect(error.code).toBe("LIMIT_EXCEEDED");
      expect(error.message).toContain(words);
    }
  });

  test.each([
    ["a tensor", tensor(storage("0", 2), [1, 2], [2, 1]), "it holds a tensor, not a state_dict"],
    ["a number", integer(3), "it holds the number 3, not a state_dict"],
    [
      "an entry that is no tensor",
      dict(...entries, text("_extra") + integer(1)),
      'its entry "_extra" is the number 1, not a tensor',
    ],
    ["a checkpoint without a network", dict(text("net") + state), 'its entry "net" is a dictionary'],
  ])("%s", (_, body, words) => {
    expect(refusal(() => read(body)).message).toContain(words);
  });
});
