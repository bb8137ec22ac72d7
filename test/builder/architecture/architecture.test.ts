import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type Architecture,
  parseArchitecture,
  readModel,
  requireSupported,
  runModel,
} from "../../../src/builder/index.ts";
import { floatTensors } from "../safetensors.ts";
import { refusal } from "../torch/fixtures.ts";

const parse = (value: unknown): Architecture => parseArchitecture(JSON.stringify(value), "net.json");

const CONV = { kind: "Conv2d", inChannels: 2, outChannels: 3, kernelSize: 1 };
const DEEP = Array.from({ length: 17 }).reduce<unknown>(
  (inner) => [{ kind: "Sequential", layers: inner }],
  [{ kind: "Square" }],
);

describe("what is wrong with an architecture is said with its path", () => {
  test.each([
    ["no list", 3, "architecture must be a layer"],
    ["an empty list", [], "architecture holds no layer"],
    ["Sequentials of nothing", [{ kind: "Sequential", layers: [] }], "architecture holds no layer"],
    ["a layer that is a text", ["Square"], 'architecture[0] must be a layer, as { "kind": "Square" }, got "Square"'],
    ["no kind", [{}], "architecture[0].kind must be one of Conv1d, "],
    [
      "an unknown kind",
      [{ kind: "Square" }, { kind: "Conv2D" }],
      "architecture[1].kind must be one of Conv1d, Conv2d, ",
    ],
    ["an inherited name as kind", [{ kind: "constructor" }], 'got "constructor"'],
    [
      "a field that is none",
      [{ ...CONV, kernel_size: 3 }],
      "architecture[0].kernel_size is no field of Conv2d: it has inChannels, ",
    ],
    ["a field of __proto__", '[{"kind":"Square","__proto__":{}}]', "architecture[0].__proto__ is no field of Square"],
    ["a missing size", [{ kind: "Linear", inFeatures: 2 }], "architecture[0].outFeatures is missing"],
    [
      "a size of 0",
      [{ ...CONV, inChannels: 0 }],
      "architecture[0].inChannels must be an integer from 1 to 2147483647, got 0",
    ],
    ["a size of 2^31", [{ ...CONV, outChannels: 2 ** 31 }], "architecture[0].outChannels must be"],
    [
      "a size that is a text",
      [{ ...CONV, kernelSize: "3" }],
      'architecture[0].kernelSize must be an integer from 1 to 2147483647, got "3"',
    ],
    [
      "a kernel of three",
      [{ ...CONV, kernelSize: [1, 2, 3] }],
      "architecture[0].kernelSize must be an integer or a list of 2, got [1,2,3]",
    ],
    ["a kernel with a bad part", [{ ...CONV, kernelSize: [1, -2] }], "architecture[0].kernelSize[1] must be"],
    [
      "groups that do not divide",
      [{ ...CONV, groups: 4 }],
      "architecture[0].groups must divide inChannels, got 4 groups of 2",
    ],
    ["a bias of 1", [{ ...CONV, bias: 1 }], "architecture[0].bias must be true or false, got 1"],
    [
      "a nested field",
      [{ kind: "Sequential", layers: [{ kind: "Square" }, { kind: "BatchNorm2d" }] }],
      "architecture[0].layers[1].numFeatures is missing",
    ],
    ["layers that are no list", [{ kind: "Sequential", layers: {} }], "architecture[0].layers must be a list"],
    ["17 Sequentials deep", DEEP, "is a Sequential inside of 16 others"],
    ["1001 layers", Array.from({ length: 1001 }, () => ({ kind: "Square" })), "more than 1000 layers"],
    ["an empty name", [{ kind: "Square", name: "" }], "architecture[0].name must be a text"],
    ["a name with a line feed", [{ kind: "Square", name: "a\nb" }], "architecture[0].name must be a text"],
    [
      "a name twice",
      [
        { kind: "Square", name: "act" },
        { kind: "Square", name: "act" },
      ],
      'architecture[1].name is "act", which architecture[0] has already',
    ],
    ["a name that is an index", [{ kind: "Square", name: "1" }, { kind: "Square" }], 'architecture[1].name is "1"'],
    [
      "inputs that are none",
      [{ kind: "Square", inputs: [] }],
      "architecture[0].inputs must be a list of earlier layers",
    ],
    [
      "an input of itself",
      [{ kind: "Square", name: "a", inputs: ["a"] }],
      "architecture[0].inputs[0] must be the name or the number of one of the 0 layers before it",
    ],
    ["itself by number", [{ kind: "Square" }, { kind: "Square", inputs: [1] }], "one of the 1 layers before it"],
    [
      "a later input",
      [{ kind: "Square" }, { kind: "Square", inputs: [2] }, { kind: "Square" }],
      "architecture[1].inputs[0] must be",
    ],
    ["an input before the first", [{ kind: "Square", inputs: [-2] }], "or -1 for the network's input, got -2"],
    [
      "two inputs of a square",
      [{ kind: "Square" }, { kind: "Square", inputs: [0, -1] }],
      "architecture[1].inputs must name one layer, Square takes one",
    ],
    [
      "a sum of one",
      [{ kind: "Add", inputs: [-1] }],
      "architecture[0].inputs must name two layers or more, which Add joins",
    ],
    [
      "a sum of the layer before",
      [{ kind: "Square" }, { kind: "Concat" }],
      "architecture[1].inputs must name two layers",
    ],
  ])("%s", (_, value, words) => {
    const error = refusal(() => (typeof value === "string" ? parseArchitecture(value, "net.json") : parse(value)));
    expect(error.code).toBe("INVALID_ARCHITECTURE");
    expect(error.message).toMatch(/^net\.json: /);
    expect(error.message).toContain(words);
  });

  test("what is no JSON, too long or too deep", () => {
    expect(refusal(() => parseArchitecture("[{kind: 1}]", "a.json")).message).toMatch(
      /^a\.json: its content is not JSON/,
    );
    expect(refusal(() => parseArchitecture("[".repeat(100_000))).code).toBe("INVALID_FILE");
    expect(refusal(() => parseArchitecture("[".repeat(1000) + "]".repeat(1000))).message).toContain("64 deep");
    expect(refusal(() => parseArchitecture(" ".repeat(2 ** 20 + 1))).code).toBe("LIMIT_EXCEEDED");
    expect(refusal(() => parseArchitecture('[{"kind":"Square","kind":"Linear"}]')).message).toContain(
      'key "kind" twice',
    );
    expect(() => parseArchitecture([] as unknown as string)).toThrow(TypeError);
  });

  test("from a program, it is checked as well", () => {
    const holdsItself: { kind: string; layers: unknown[] } = { kind: "Sequential", layers: [] };
    holdsItself.layers.push(holdsItself);
    for (const wrong of [null, [null], [holdsItself], [{ kind: "Linear", inFeatures: 1n, outFeatures: Number.NaN }]]) {
      const error = refusal(() => readModel(floatTensors({}), { architecture: wrong as unknown as Architecture }));
      expect(error.code).toBe("INVALID_ARCHITECTURE");
    }
  });
});

describe("options that only the layer can judge", () => {
  const build = (layer: object) =>
    readModel(floatTensors({ "0.weight": [[1, 1, 3, 3], new Array(9).fill(1)] }), {
      architecture: [layer] as Architecture,
    });
  const conv = { kind: "Conv2d", inChannels: 1, outChannels: 1, kernelSize: 3, bias: false };

  test.each([
    [{ ...conv, stride: 0 }, "model: architecture[0].stride must be an integer from 1 to 2147483647, got 0"],
    [{ ...conv, padding: "smae" }, "model: architecture[0].padding must be"],
    [{ ...conv, padding: "same", stride: 2 }, "model: architecture[0]"],
    [{ ...conv, dilation: [1, 2, 3] }, "model: architecture[0].dilation must be"],
  ])("%j", (layer, words) => {
    const error = refusal(() => build(layer));
    expect(error.code).toBe("INVALID_ARCHITECTURE");
    expect(error.message).toContain(words);
  });

  test("of layers without weights", () => {
    const pool = { kind: "AvgPool2d", kernelSize: 2, padding: 2 } as const;
    const error = refusal(() => readModel(floatTensors({}), { architecture: [pool] }));
    expect(error.message).toMatch(/^model: architecture\[0\]\.padding must be at most half the kernel/);
    const unflatten = { kind: "Unflatten", dim: 1, unflattenedSize: [-1, -1] } as const;
    expect(refusal(() => readModel(floatTensors({}), { architecture: [unflatten] })).message).toMatch(
      /^model: architecture\[0\]/,
    );
  });
});

test("the README's architecture is one", () => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const [, text] = /```json\n([\s\S]*?)```/.exec(readme) as unknown as [string, string];
  expect(parseArchitecture(text)).toHaveLength(4);
});

describe("names and numbers of layers", () => {
  const NESTED: Architecture = [
    {
      kind: "Sequential",
      layers: [{ kind: "Square" }, { kind: "Sequential", name: "in", layers: [{ kind: "Identity" }] }],
    },
    { kind: "Dropout", name: "drop", p: 0.5 },
    { kind: "Flatten" },
  ];

  test("positions are those of torch.nn.Sequential", () => {
    const { layers } = readModel(floatTensors({}), { architecture: NESTED });
    expect(layers.map(({ index, position, layer }) => `${index} ${position} ${layer.kind}`)).toEqual([
      "0 0.0 Square",
      "1 0.in.0 Identity",
      "2 drop Dropout",
      "3 2 Flatten",
    ]);
    expect(layers.every(({ inputs }) => inputs === undefined)).toBe(true);
  });

  test("weights of every kind have PyTorch's names and shapes", () => {
    const tensors: Record<string, [number[], number[]]> = {};
    const add = (name: string, ...shape: number[]): void => {
      tensors[name] = [shape, new Array(shape.reduce((a, b) => a * b, 1)).fill(0.5)];
    };
    add("0.weight", 4, 1, 3);
    add("0.bias", 4);
    for (const name of ["weight", "bias", "running_mean", "running_var"]) add(`1.${name}`, 4);
    add("1.num_batches_tracked");
    tensors["1.num_batches_tracked"] = [[], [3]];
    add("4.weight", 2, 2, 3, 1);
    add("4.bias", 4);
    add("5.running_mean", 4);
    add("5.running_var", 4);
    add("6.weight", 3, 4, 2, 2);
    add("12.weight", 5, 3);
    const architecture: Architecture = [
      { kind: "Conv1d", inChannels: 2, outChannels: 4, kernelSize: [3], groups: 2, padding: 1 },
      { kind: "BatchNorm1d", numFeatures: 4 },
      { kind: "AvgPool1d", kernelSize: 2 },
      { kind: "Unflatten", dim: 1, unflattenedSize: [2, 2] },
      { kind: "ConvTranspose2d", inChannels: 2, outChannels: 4, kernelSize: [3, 1], groups: 1 },
      { kind: "BatchNorm2d", numFeatures: 4, affine: false, eps: 1 },
      { kind: "Conv2d", inChannels: 4, outChannels: 3, kernelSize: 2, bias: false, stride: [1, 2] },
      { kind: "ZeroPad2d", padding: [1, 0, 1, 0] },
      { kind: "AvgPool2d", kernelSize: 2, ceilMode: true },
      { kind: "AdaptiveAvgPool2d", outputSize: 1 },
      { kind: "Square" },
      { kind: "Flatten", startDim: 1 },
      { kind: "Linear", inFeatures: 3, outFeatures: 5, bias: false },
    ];
    tensors["4.weight"] = [[2, 4, 3, 1], new Array(24).fill(0.5)];
    const model = readModel(floatTensors(tensors), { architecture });
    requireSupported(model);
    const output = runModel(model, { shape: [2, 8], data: new Float64Array(16).fill(1) });
    expect(output.shape).toEqual([5]);
    expect(output.data.every(Number.isFinite)).toBe(true);
  });

  test("inputs are names and numbers; a Sequential stands for its last layer, and reads for its first", () => {
    const architecture: Architecture = [
      { kind: "Square", name: "a" },
      {
        kind: "Sequential",
        name: "block",
        inputs: [-1],
        layers: [
          { kind: "Identity", name: "x" },
          { kind: "Sequential", layers: [] },
          { kind: "Square", name: "y" },
        ],
      },
      { kind: "Add", name: "sum", inputs: ["a", "block", -1, 1] },
      { kind: "Square", inputs: ["block.x"] },
      { kind: "Concat", dim: -1, inputs: ["sum", 4] },
      { kind: "Identity", inputs: ["4"] },
    ];
    const model = readModel(floatTensors({}), { architecture });
    expect(model.layers.map(({ position, inputs }) => [position, inputs])).toEqual([
      ["a", undefined],
      ["block.x", [-1]],
      ["block.y", undefined],
      ["sum", [0, 2, -1, 1]],
      ["3", [1]],
      ["4", [3, 4]],
      ["5", undefined],
    ]);
    // a = x^2, block = x^2, sum = 2 x^2 + 2 x, then x^2.
    const { data } = runModel(model, { shape: [2], data: Float64Array.of(1, 3) });
    expect([...data]).toEqual([4, 24, 1, 9]);
  });

  test("a join may read the layer before it first", () => {
    const architecture: Architecture = [{ kind: "Square" }, { kind: "Square" }, { kind: "Add", inputs: [1, 0] }];
    const model = readModel(floatTensors({}), { architecture });
    expect(model.layers[2].inputs).toEqual([1, 0]);
    expect([...runModel(model, { shape: [1], data: Float64Array.of(2) }).data]).toEqual([20]);
  });

  test("batch norm takes eps and its weights by PyTorch's names", () => {
    const architecture: Architecture = [{ kind: "BatchNorm1d", numFeatures: 1, eps: 1 }];
    const weights = {
      "0.weight": [[1], [3]],
      "0.bias": [[1], [7]],
      "0.running_mean": [[1], [1]],
      "0.running_var": [[1], [15]],
    } as const;
    const model = readModel(floatTensors(weights), { architecture });
    // (5 - 1) / sqrt(15 + 1) * 3 + 7.
    expect([...runModel(model, { shape: [1], data: Float64Array.of(5) }).data]).toEqual([10]);
  });

  test("polynomials and refreshes, which PyTorch does not have", () => {
    const architecture: Architecture = [{ kind: "Polynomial", coefficients: [1, 2, 3] }, { kind: "Refresh" }];
    const model = readModel(floatTensors({}), { architecture });
    expect(model.layers.map(({ layer }) => layer.kind)).toEqual(["Polynomial", "Refresh"]);
    expect([...runModel(model, { shape: [1], data: Float64Array.of(2) }).data]).toEqual([17]);
    const wrong: Architecture = [{ kind: "Polynomial", coefficients: [] }];
    expect(refusal(() => readModel(floatTensors({}), { architecture: wrong })).message).toMatch(
      /^model: architecture\[0\]\.coefficients must be/,
    );
  });

  test("layers that do not run encrypted are kept and refused by name, with their weights", () => {
    const architecture = [
      { kind: "Linear", inFeatures: 1, outFeatures: 1, bias: false },
      { kind: "LayerNorm", name: "norm", normalizedShape: [1] },
    ] as unknown as Architecture;
    const weights = { "0.weight": [[1, 1], [2]], "norm.weight": [[1], [1]] } as const;
    const model = readModel(floatTensors(weights), { architecture, name: "w" });
    expect(refusal(() => requireSupported(model)).message).toMatch(
      /^w: layer norm \(LayerNorm\) does not run encrypted: .*BatchNorm2d$/,
    );
  });
});
