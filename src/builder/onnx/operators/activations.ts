/** Operators that cannot run encrypted by themselves: as layers that are exact in the clear, or refused under PyTorch's names. */

import {
  type AvgPool1dOptions,
  avgPool1dLayer,
  eluLayer,
  type GeluOptions,
  geluLayer,
  hardswishLayer,
  leakyReluLayer,
  type MaxPool2dOptions,
  maxPool2dLayer,
  mishLayer,
  reluLayer,
  sigmoidLayer,
  siluLayer,
  softplusLayer,
  tanhLayer,
} from "../../../layers/index.ts";
import type { Layer, Shape } from "../../../plan/index.ts";
import { adviceFor } from "../../source/refusals.ts";
import { type Operation, unsupported } from "../operation.ts";
import type { Pattern } from "../patterns.ts";
import type { Activation } from "../values.ts";
import { isSymmetric, perAxis, readWindow, spatialAxes } from "./spatial.ts";

type Handler = (operation: Operation) => Activation;

/** Functions of each element that are exact in the clear alone. */
const EXACT: readonly (readonly [operator: string, make: (operation: Operation) => Layer])[] = [
  ["Relu", reluLayer],
  ["Sigmoid", sigmoidLayer],
  ["Tanh", tanhLayer],
  ["Gelu", ({ attributes }) => geluLayer({ approximate: attributes.text("approximate", "none") } as GeluOptions)],
  ["LeakyRelu", ({ attributes }) => leakyReluLayer({ negativeSlope: attributes.float("alpha", 0.01) })],
  ["Elu", ({ attributes }) => eluLayer({ alpha: attributes.float("alpha", 1) })],
  ["Mish", mishLayer],
  ["HardSwish", hardswishLayer],
  ["Softplus", () => softplusLayer({ threshold: EXACT_SOFTPLUS })],
];
/** ONNX has no threshold above which softplus is x; from here on it is x to the last bit. */
const EXACT_SOFTPLUS = 40;

/** Other functions of each element, and what normalises along an axis: the shape stays. */
const SAME_SHAPE: readonly (readonly [operator: string, kind: string, ...attributes: string[]])[] = [
  ["PRelu", "PReLU"],
  ["Celu", "CELU", "alpha"],
  ["Selu", "SELU", "alpha", "gamma"],
  ["HardSigmoid", "Hardsigmoid", "alpha", "beta"],
  ["Softsign", "Softsign"],
  ["Clip", "Hardtanh", "min", "max"],
  ["Softmax", "Softmax", "axis"],
  ["LogSoftmax", "LogSoftmax", "axis"],
  ["LayerNormalization", "LayerNorm", "axis", "epsilon", "stash_type"],
  ["GroupNormalization", "GroupNorm", "epsilon", "num_groups", "stash_type"],
  ["InstanceNormalization", "InstanceNorm", "epsilon"],
];

/** By operator. */
export const ACTIVATIONS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ...EXACT.map(
    ([operator, make]) =>
      [operator, (operation) => operation.emit(() => make(operation), operation.activation(0))] satisfies [
        string,
        Handler,
      ],
  ),
  ...SAME_SHAPE.map(
    ([operator, kind, ...attributes]) => [operator, sameShape(kind, attributes)] satisfies [string, Handler],
  ),
  ["MaxPool", maxPool],
  ["GlobalMaxPool", globalMaxPool],
]);

function sameShape(kind: string, attributes: readonly string[]): Handler {
  return (operation) => {
    operation.attributes.ignore(...attributes);
    const x = operation.activation(0);
    return refuse(operation, kind, x.shape, x);
  };
}

const PATTERNS: Readonly<Record<Pattern["kind"], () => Layer>> = {
  SiLU: siluLayer,
  Hardswish: hardswishLayer,
  Mish: mishLayer,
  GELU: () => geluLayer(),
  "GELU by tanh": () => geluLayer({ approximate: "tanh" }),
};

/** The layer that a pattern of several nodes is, whose last one this is. */
export function readPattern(operation: Operation, { kind }: Pattern): Activation {
  return operation.emit(PATTERNS[kind], operation.activation(0));
}

function refuse(operation: Operation, kind: string, shape: Shape, x: Activation): Activation {
  return operation.refuse(kind, `does not run encrypted: ${adviceFor(kind)}`, shape, x);
}

function maxPool(operation: Operation): Activation {
  const x = operation.activation(0);
  const axes = spatialAxes(operation, x);
  const kernel = perAxis(operation, "kernel_shape", axes, []);
  const window = readWindow(operation, kernel, x.shape.slice(1));
  const ceilMode = operation.attributes.flag("ceil_mode", false);
  operation.attributes.ignore("storage_order");
  if (!isSymmetric(window)) {
    throw unsupported(
      operation,
      "pads one side more than the other, which no pool of maxima does here: pad in a layer of its own",
    );
  }
  const options = { kernelSize: kernel, stride: window.strides, padding: window.before, ceilMode };
  if (axes === 2) {
    const { dilations: dilation } = window;
    return operation.emit(() => maxPool2dLayer({ ...options, dilation } as unknown as MaxPool2dOptions), x);
  }
  if (window.dilations.some((dilation) => dilation !== 1)) {
    throw unsupported(operation, `does not run encrypted: ${adviceFor("MaxPool1d")}`);
  }
  const average = avgPool1dLayer(options as unknown as AvgPool1dOptions);
  return refuse(operation, "MaxPool1d", average.outputShape(x.shape), x);
}

function globalMaxPool(operation: Operation): Activation {
  const x = operation.activation(0);
  return refuse(operation, "AdaptiveMaxPool2d", [x.shape[0], ...x.shape.slice(1).map(() => 1)], x);
}
