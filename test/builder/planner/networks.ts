/** The shapes of the fixture networks and of some made-up ones, with random weights. */

import { type NetworkStep, networkSteps, traceShapes } from "../../../src/builder/index.ts";
import { avgPool2dLayer, conv2dLayer, flattenLayer, linearLayer, squareLayer } from "../../../src/layers/index.ts";
import type { Layer, Shape } from "../../../src/plan/index.ts";
import { chainOf } from "../../helpers/chain.ts";

export interface TestNetwork {
  readonly inputShape: Shape;
  readonly steps: readonly NetworkStep[];
}

/** Numbers in [-1, 1), the same on every run. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

const random = randomNumbers(1);

function values(shape: Shape): { shape: Shape; data: Float64Array } {
  const size = shape.reduce((product, length) => product * length, 1);
  return { shape, data: Float64Array.from({ length: size }, random) };
}

interface ConvGeometry {
  readonly stride?: number | readonly [number, number];
  readonly padding?: number | readonly [number, number];
  readonly dilation?: number | readonly [number, number];
  readonly groups?: number;
}

export function conv(
  inputs: number,
  outputs: number,
  kernel: number | readonly [number, number],
  geometry: ConvGeometry = {},
): Layer {
  const [height, width] = typeof kernel === "number" ? [kernel, kernel] : kernel;
  const weight = values([outputs, inputs / (geometry.groups ?? 1), height, width]);
  return conv2dLayer({ weight, bias: values([outputs]), ...geometry });
}

export function linear(inputs: number, outputs: number): Layer {
  return linearLayer({ weight: values([outputs, inputs]), bias: values([outputs]) });
}

export const pool = (kernelSize: number): Layer => avgPool2dLayer({ kernelSize });
export const flatten = (): Layer => flattenLayer({});
export const square = (): Layer => squareLayer();

export function network(inputShape: Shape, layers: readonly Layer[]): TestNetwork {
  const model = chainOf(layers);
  return { inputShape, steps: networkSteps(model, traceShapes(model, inputShape)) };
}

const digits = [1, 28, 28];

export const networks = {
  lenet1: () =>
    network(digits, [conv(1, 4, 5), square(), pool(2), conv(4, 12, 5), square(), pool(2), flatten(), linear(192, 10)]),
  lenet1OneSquare: () =>
    network(digits, [conv(1, 4, 5), square(), pool(2), conv(4, 12, 5), pool(2), flatten(), linear(192, 10)]),
  tensealNet: () =>
    network(digits, [conv(1, 4, 7, { stride: 3 }), square(), flatten(), linear(256, 64), square(), linear(64, 10)]),
  cryptonets: () =>
    network(digits, [
      conv(1, 5, 5, { stride: 2, padding: 1 }),
      square(),
      flatten(),
      linear(845, 100),
      square(),
      linear(100, 10),
    ]),
  mlp: () => network(digits, [flatten(), linear(784, 32), square(), linear(32, 10)]),
  linear: () => network(digits, [flatten(), linear(784, 10)]),
  fivesWithPool3: () =>
    network([1, 30, 30], [conv(1, 5, 3), square(), pool(3), conv(5, 10, 3), square(), flatten(), linear(490, 10)]),
  twoStridedConvolutions: () =>
    network(digits, [
      conv(1, 4, 3, { stride: 2, padding: 1 }),
      square(),
      conv(4, 8, 3, { stride: 2, padding: 1 }),
      square(),
      flatten(),
      linear(392, 10),
    ]),
  lenet5: () =>
    network(digits, [
      conv(1, 6, 5, { padding: 2 }),
      square(),
      pool(2),
      conv(6, 16, 5),
      square(),
      pool(2),
      flatten(),
      linear(400, 120),
      square(),
      linear(120, 84),
      square(),
      linear(84, 10),
    ]),
  cifarLike: () =>
    network(
      [3, 32, 32],
      [
        conv(3, 16, 3, { padding: 1 }),
        square(),
        pool(2),
        conv(16, 32, 3, { padding: 1 }),
        square(),
        pool(2),
        conv(32, 32, 3, { padding: 1 }),
        square(),
        pool(2),
        flatten(),
        linear(512, 10),
      ],
    ),
} as const;
