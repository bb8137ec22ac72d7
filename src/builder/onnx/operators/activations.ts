/** Activations and maxima: layers that are exact in the clear alone, and in the hands of the key's owner. */

import {
  eluLayer,
  geluLayer,
  hardswishLayer,
  leakyReluLayer,
  maxPool2dLayer,
  mishLayer,
  relu6Layer,
  reluLayer,
  sigmoidLayer,
  siluLayer,
  softplusLayer,
  tanhLayer,
} from "../../../layers/index.ts";
import type { Layer } from "../../../plan/index.ts";
import { invalid, type Operation, unsupported } from "../operation.ts";
import type { Pattern } from "../patterns.ts";
import type { Activation } from "../values.ts";
import { constantOf } from "./broadcast.ts";
import { refuse } from "./refused.ts";
import { imageWindow, isSymmetric, onImage, type Pair, perAxis, readWindow, spatialAxes } from "./spatial.ts";

type Handler = (operation: Operation) => Activation;

/** ONNX has no threshold above which softplus is x; from here on it is x to the last bit. */
const EXACT_SOFTPLUS = 40;

/** By operator. */
export const ACTIVATIONS: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ["Clip", clip],
  ["Elu", of(({ attributes }) => eluLayer({ alpha: attributes.float("alpha", 1) }))],
  ["Gelu", of(gelu)],
  ["GlobalMaxPool", globalMaxPool],
  ["HardSwish", of(hardswishLayer)],
  ["LeakyRelu", of(({ attributes }) => leakyReluLayer({ negativeSlope: attributes.float("alpha", 0.01) }))],
  ["MaxPool", maxPool],
  ["Mish", of(mishLayer)],
  ["Relu", of(reluLayer)],
  ["Sigmoid", of(sigmoidLayer)],
  ["Softplus", of(() => softplusLayer({ threshold: EXACT_SOFTPLUS }))],
  ["Tanh", of(tanhLayer)],
]);

function of(make: (operation: Operation) => Layer): Handler {
  return (operation) => {
    const layer = make(operation);
    return operation.emit(() => layer, operation.activation(0));
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

function gelu(operation: Operation): Layer {
  const approximate = operation.attributes.text("approximate", "none");
  if (approximate === "none" || approximate === "tanh") return geluLayer({ approximate });
  throw invalid(operation, `approximates by "${approximate}", expected none or tanh`);
}

/** ReLU6, and ReLU, which some exporters write as limits; limits are attributes until version 10. */
function clip(operation: Operation): Activation {
  const { attributes } = operation;
  const limit = (input: number, name: string): number =>
    operation.inputs[input] ? constantOf(operation, input, []).data[0] : attributes.float(name, Number.MAX_VALUE);
  const least = operation.inputs[1] || operation.node.attributes.has("min") ? limit(1, "min") : undefined;
  const most = operation.inputs[2] || operation.node.attributes.has("max") ? limit(2, "max") : undefined;
  const x = operation.activation(0);
  if (least === 0 && most === 6) return operation.emit(relu6Layer, x);
  if (least === 0 && most === undefined) return operation.emit(reluLayer, x);
  return refuse(operation, "Hardtanh");
}

function maxPool(operation: Operation): Activation {
  const x = operation.activation(0);
  const axes = spatialAxes(operation, x);
  const kernel = perAxis(operation, "kernel_shape", axes, []);
  const window = readWindow(operation, kernel, x.shape.slice(1));
  const ceilMode = operation.attributes.flag("ceil_mode", false);
  operation.attributes.ignore("storage_order");
  if (!isSymmetric(window)) {
    throw unsupported(operation, "pads the sides of an axis differently: PyTorch's MaxPool2d pads both alike");
  }
  const { strides, dilations, before } = imageWindow(window);
  return onImage(operation, x, (image) =>
    operation.emit(
      () =>
        maxPool2dLayer({
          kernelSize: [1, ...kernel].slice(-2) as unknown as Pair,
          stride: strides as Pair,
          padding: before as Pair,
          dilation: dilations as Pair,
          ceilMode,
        }),
      image,
    ),
  );
}

function globalMaxPool(operation: Operation): Activation {
  const x = operation.activation(0);
  spatialAxes(operation, x);
  return onImage(operation, x, (image) => {
    const [, height, width] = image.shape;
    return operation.emit(() => maxPool2dLayer({ kernelSize: [height, width] }), image);
  });
}
