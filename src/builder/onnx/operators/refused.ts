/** Operators that keep their place as layers which cannot run encrypted, under PyTorch's names. */

import { avgPool1dLayer, avgPool2dLayer } from "../../../layers/index.ts";
import type { Shape } from "../../../plan/index.ts";
import { adviceFor } from "../../source/refusals.ts";
import { type Operation, unsupported } from "../operation.ts";
import type { Pattern } from "../patterns.ts";
import type { Activation } from "../values.ts";
import { isSymmetric, perAxis, readWindow, spatialAxes } from "./spatial.ts";

type Handler = (operation: Operation) => Activation;

/** Functions of each element, and what normalises along an axis: the shape stays. */
const SAME_SHAPE: readonly (readonly [operator: string, kind: string, ...attributes: string[]])[] = [
  ["Relu", "ReLU"],
  ["Sigmoid", "Sigmoid"],
  ["Tanh", "Tanh"],
  ["Gelu", "GELU", "approximate"],
  ["LeakyRelu", "LeakyReLU", "alpha"],
  ["PRelu", "PReLU"],
  ["Elu", "ELU", "alpha"],
  ["Celu", "CELU", "alpha"],
  ["Selu", "SELU", "alpha", "gamma"],
  ["Mish", "Mish"],
  ["HardSwish", "Hardswish"],
  ["HardSigmoid", "Hardsigmoid", "alpha", "beta"],
  ["Softplus", "Softplus"],
  ["Softsign", "Softsign"],
  ["Clip", "Hardtanh", "min", "max"],
  ["Softmax", "Softmax", "axis"],
  ["LogSoftmax", "LogSoftmax", "axis"],
  ["LayerNormalization", "LayerNorm", "axis", "epsilon", "stash_type"],
  ["GroupNormalization", "GroupNorm", "epsilon", "num_groups", "stash_type"],
  ["InstanceNormalization", "InstanceNorm", "epsilon"],
];

/** By operator. */
export const REFUSED: ReadonlyMap<string, Handler> = new Map<string, Handler>([
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

/** The layer that a pattern of several nodes is, whose last one this is. */
export function readPattern(operation: Operation, { kind }: Pattern): Activation {
  const x = operation.activation(0);
  return refuse(operation, kind === "GELU by tanh" ? "GELU" : kind, x.shape, x);
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
  if (!isSymmetric(window) || window.dilations.some((dilation) => dilation !== 1)) {
    throw unsupported(operation, `does not run encrypted: ${adviceFor(`MaxPool${axes}d`)}`);
  }
  const options = {
    kernelSize: kernel as never,
    stride: window.strides as never,
    padding: window.before as never,
    ceilMode,
  };
  const average = axes === 1 ? avgPool1dLayer(options) : avgPool2dLayer(options);
  return refuse(operation, `MaxPool${axes}d`, average.outputShape(x.shape), x);
}

function globalMaxPool(operation: Operation): Activation {
  const x = operation.activation(0);
  return refuse(operation, "AdaptiveMaxPool2d", [x.shape[0], ...x.shape.slice(1).map(() => 1)], x);
}
