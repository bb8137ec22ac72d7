import { describe, expect, test } from "vitest";
import { avgPool2dLayer, conv2dLayer, flattenLayer, linearLayer, squareLayer } from "../../src/layers/index.ts";
import {
  type AffineMap,
  applyAffine,
  composeAffine,
  type Layer,
  nonzeros,
  type Shape,
  type Tensor,
} from "../../src/plan/index.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";
import { randomTensor, relativeError } from "./support.ts";

/** The parameter-free layers of a model between the outputs that PyTorch recorded before and after them. */
const recorded: [model: string, before: string, after: string, layer: Layer][] = [
  ["lenet1-square", "00-Conv2d", "01-Square", squareLayer()],
  ["lenet1-square", "01-Square", "02-AvgPool2d", avgPool2dLayer({ kernelSize: 2 })],
  ["lenet1-square", "03-Conv2d", "04-Square", squareLayer()],
  ["lenet1-square", "04-Square", "05-AvgPool2d", avgPool2dLayer({ kernelSize: 2 })],
  ["lenet1-square", "05-AvgPool2d", "06-Flatten", flattenLayer()],
  ["tenseal-net", "00-Conv2d", "01-Square", squareLayer()],
  ["tenseal-net", "01-Square", "02-Flatten", flattenLayer()],
  ["tenseal-net", "03-Linear", "04-Square", squareLayer()],
];

describe("layers of trained models", () => {
  test.each(recorded)("%s: from %s to %s as PyTorch", (model, before, after, layer) => {
    const outputs = unbatch(readNpy(`models/${model}/layers/${after}.npy`));
    for (const [image, input] of unbatch(readNpy(`models/${model}/layers/${before}.npy`)).entries()) {
      const output = layer.forward(input);
      expect(output.shape).toEqual(outputs[image].shape);
      expect(relativeError(output.data, outputs[image].data)).toBeLessThan(1e-12);
    }
  });
});

/** The maps of neighbouring affine layers as one. */
function fused(layers: readonly Layer[], inputShape: Shape): AffineMap {
  let shape = inputShape;
  let product: AffineMap | undefined;
  for (const layer of layers) {
    const algebra = layer.algebra(shape);
    if (algebra.kind !== "affine") throw new Error(`${layer.kind} is not affine`);
    product = product === undefined ? algebra.map : composeAffine(algebra.map, product);
    shape = layer.outputShape(shape);
  }
  return product!;
}

describe("fused layers", () => {
  const conv = conv2dLayer({
    weight: randomTensor(1, [4, 2, 3, 3]),
    bias: randomTensor(2, [4]),
    padding: 1,
    stride: [2, 1],
  });
  const grouped = conv2dLayer({
    weight: randomTensor(3, [6, 2, 2, 2]),
    bias: randomTensor(4, [6]),
    groups: 2,
    padding: "same",
  });
  const pool = avgPool2dLayer({ kernelSize: 2, padding: 1, ceilMode: true, countIncludePad: false });
  const linear = linearLayer({ weight: randomTensor(5, [5, 6 * 3 * 6]), bias: randomTensor(6, [5]) });
  const networks: [name: string, layers: Layer[]][] = [
    ["two convolutions", [conv, grouped]],
    ["convolution and pool", [conv, pool]],
    ["pool and convolution", [avgPool2dLayer({ kernelSize: 3, stride: 1 }), conv]],
    ["a whole network", [conv, grouped, pool, flattenLayer(), linear]],
  ];

  test.each(networks)("%s: one map does what the layers do one after the other", (_, layers) => {
    const input = randomTensor(7, [2, 9, 10]);
    const map = fused(layers, input.shape);
    const output = layers.reduce<Tensor>((x, layer) => layer.forward(x), input);
    expect(map.outputShape).toEqual(output.shape);
    expect(relativeError(applyAffine(map, input.data), output.data)).toBeLessThan(1e-12);
  });

  test("the lenet1-square's second pool and its linear layer: no more entries than a dense matrix has", () => {
    const layers = [
      avgPool2dLayer({ kernelSize: 2 }),
      flattenLayer(),
      linearLayer({ weight: randomTensor(8, [10, 192]) }),
    ];
    expect(nonzeros(fused(layers, [12, 8, 8]))).toBe(10 * 12 * 8 * 8);
  });
});
