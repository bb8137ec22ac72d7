/** PyTorch's layers as ours: one function a class, by its full name. */

import { CrcnnError } from "../../errors/index.ts";
import {
  type AdaptiveSize,
  type AvgPool1dOptions,
  type AvgPool2dOptions,
  adaptiveAvgPool2dLayer,
  avgPool1dLayer,
  avgPool2dLayer,
  type BatchNormOptions,
  batchNorm1dLayer,
  batchNorm2dLayer,
  type Conv1dOptions,
  type Conv2dOptions,
  type ConvTranspose2dOptions,
  conv1dLayer,
  conv2dLayer,
  convTranspose2dLayer,
  type EluOptions,
  eluLayer,
  type FlattenOptions,
  flattenLayer,
  type GeluOptions,
  geluLayer,
  hardswishLayer,
  type IdentityKind,
  identityLayer,
  type LeakyReluOptions,
  leakyReluLayer,
  linearLayer,
  type MaxPool2dOptions,
  maxPool2dLayer,
  mishLayer,
  relu6Layer,
  reluLayer,
  type SidePadding,
  type SoftplusOptions,
  sigmoidLayer,
  siluLayer,
  softplusLayer,
  squareLayer,
  tanhLayer,
  type UnflattenOptions,
  unflattenLayer,
  zeroPad2dLayer,
} from "../../layers/index.ts";
import type { Layer } from "../../plan/index.ts";
import { adviceFor } from "../source/refusals.ts";
import { printable } from "../source/text.ts";
import type { ElementBudget } from "../source/weights.ts";
import { withLabel } from "../source/with-label.ts";
import { dictOf, type ModuleState, moduleState } from "./module-state.ts";
import { className, type ModuleObject } from "./pickle-values.ts";

const TORCH = /^torch\.nn\./;
const HOOKS = ["_forward_hooks", "_forward_pre_hooks"];

/** Does nothing when a trained network runs. */
const DROPOUTS = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"] as const;

const ACTIVATIONS: readonly (readonly [name: string, make: (state: ModuleState) => Layer])[] = [
  ["ELU", (state) => eluLayer({ alpha: state.attribute("alpha") } as EluOptions)],
  // Files from before torch 1.12 do not say: there was one form.
  ["GELU", (state) => geluLayer({ approximate: state.attribute("approximate", "none") } as GeluOptions)],
  ["Hardswish", hardswishLayer],
  ["LeakyReLU", (state) => leakyReluLayer({ negativeSlope: state.attribute("negative_slope") } as LeakyReluOptions)],
  ["Mish", mishLayer],
  ["ReLU", reluLayer],
  ["ReLU6", relu6Layer],
  ["SiLU", siluLayer],
  ["Sigmoid", sigmoidLayer],
  ["Softplus", softplus],
  ["Tanh", tanhLayer],
];

const LAYERS: ReadonlyMap<string, (state: ModuleState) => Layer> = new Map([
  ["torch.nn.modules.conv.Conv1d", conv1d],
  ["torch.nn.modules.conv.Conv2d", conv2d],
  ["torch.nn.modules.conv.ConvTranspose2d", convTranspose2d],
  ["torch.nn.modules.linear.Linear", linear],
  ["torch.nn.modules.linear.Identity", same("Identity")],
  ["torch.nn.modules.pooling.AvgPool1d", (state) => avgPool1dLayer(poolOptions(state) as AvgPool1dOptions)],
  ["torch.nn.modules.pooling.AvgPool2d", avgPool2d],
  ["torch.nn.modules.pooling.AdaptiveAvgPool2d", adaptiveAvgPool2d],
  ["torch.nn.modules.batchnorm.BatchNorm1d", (state) => batchNorm1dLayer(batchNormOptions(state))],
  ["torch.nn.modules.batchnorm.BatchNorm2d", (state) => batchNorm2dLayer(batchNormOptions(state))],
  ["torch.nn.modules.padding.ZeroPad2d", (state) => zeroPad2dLayer(state.attribute("padding") as SidePadding)],
  ["torch.nn.modules.flatten.Flatten", flatten],
  ["torch.nn.modules.flatten.Unflatten", unflatten],
  ["torch.nn.modules.pooling.MaxPool2d", maxPool2d],
  ...ACTIVATIONS.map(([name, make]) => [`torch.nn.modules.activation.${name}`, make] as const),
  ...DROPOUTS.map((name) => [`torch.nn.modules.dropout.${name}`, same(name)] as const),
]);

/** True for a class that has a layer: one of torch's that is known here, or a user's class named Square. */
export function isKnownLayer({ type }: ModuleObject): boolean {
  return LAYERS.has(className(type)) || isUserSquare(type);
}

/** What messages call a layer: `layer 3 (Conv2d)`. @param position the path to it. */
export function labelOf({ type }: ModuleObject, position: string): string {
  return `layer ${position} (${printable(type.name)})`;
}

/**
 * Makes the layer of a module.
 *
 * @param position the path to it, for messages.
 * @throws CrcnnError UNSUPPORTED_LAYER naming class, position and remedy; INVALID_FILE for attributes that PyTorch would
 * not have written; as {@link moduleState} for the weights.
 */
export function makeLayer(object: ModuleObject, position: string, budget: ElementBudget): Layer {
  const { type, state } = object;
  const label = labelOf(object, position);
  if (HOOKS.some((name) => dictOf(state, name).size > 0) || state?.has("forward")) {
    throw unsupported(`${label} has hooks, which are code and not in the file: remove them and save again`);
  }
  if (isUserSquare(type)) {
    if (dictOf(state, "_parameters").size + dictOf(state, "_modules").size > 0) {
      throw unsupported(`${label} has weights or layers of its own: a class named Square must only compute x * x`);
    }
    return squareLayer();
  }
  const make = LAYERS.get(className(type));
  if (make === undefined) {
    if (TORCH.test(type.module)) throw unsupported(`${label} does not run encrypted: ${adviceFor(type.name)}`);
    throw unsupported(
      `${label} is the class ${printable(className(type))}, whose forward is code and not in the file: write it as a torch.nn.Sequential of torch's own layers`,
    );
  }
  return withLabel(label, () => make(moduleState(object, label, budget)));
}

function isUserSquare(type: ModuleObject["type"]): boolean {
  return type.name === "Square" && !TORCH.test(type.module);
}

// The factories check the type and range of every option themselves, so attributes are passed on as they are in the file.

function conv1d(state: ModuleState): Layer {
  return conv1dLayer(convOptions(state) as Conv1dOptions);
}

function conv2d(state: ModuleState): Layer {
  return conv2dLayer(convOptions(state) as Conv2dOptions);
}

function convTranspose2d(state: ModuleState): Layer {
  const outputPadding = state.attribute("output_padding");
  return convTranspose2dLayer({ ...convOptions(state, true), outputPadding } as ConvTranspose2dOptions);
}

/** @param transposed the weight has the input channels first, and those of the outputs in groups. */
function convOptions(state: ModuleState, transposed = false): Record<keyof Conv2dOptions, unknown> {
  const mode = state.attribute("padding_mode", "zeros");
  if (mode !== "zeros") {
    throw unsupported(
      `${state.label} has padding_mode ${String(mode)}, only zeros runs encrypted: train with padding_mode="zeros"`,
    );
  }
  const weight = state.weight();
  const groups = state.attribute("groups");
  const kernel = state.attribute("kernel_size");
  const channels = ["out_channels", "in_channels"].map((name) => state.attribute(name));
  const [whole, grouped] = transposed ? channels.reverse() : channels;
  checkShape(state, weight.shape, [whole, Number(grouped) / Number(groups), ...(Array.isArray(kernel) ? kernel : [])]);
  return {
    weight,
    bias: state.parameter("bias"),
    stride: state.attribute("stride"),
    padding: state.attribute("padding"),
    dilation: state.attribute("dilation"),
    groups,
  };
}

function linear(state: ModuleState): Layer {
  const weight = state.weight();
  checkShape(state, weight.shape, [state.attribute("out_features"), state.attribute("in_features")]);
  return linearLayer({ weight, bias: state.parameter("bias") });
}

function avgPool2d(state: ModuleState): Layer {
  const divisorOverride = state.attribute("divisor_override", null);
  return avgPool2dLayer({ ...poolOptions(state), divisorOverride } as AvgPool2dOptions);
}

function maxPool2d(state: ModuleState): Layer {
  if (state.attribute("return_indices", false) !== false) {
    throw unsupported(`${state.label} has return_indices, and gives more than one result: only the maxima can go on`);
  }
  return maxPool2dLayer({
    kernelSize: state.attribute("kernel_size"),
    stride: state.attribute("stride"),
    padding: state.attribute("padding"),
    dilation: state.attribute("dilation"),
    ceilMode: state.attribute("ceil_mode"),
  } as MaxPool2dOptions);
}

function softplus(state: ModuleState): Layer {
  return softplusLayer({ beta: state.attribute("beta"), threshold: state.attribute("threshold") } as SoftplusOptions);
}

function poolOptions(state: ModuleState): Record<keyof AvgPool1dOptions, unknown> {
  return {
    kernelSize: state.attribute("kernel_size"),
    stride: state.attribute("stride"),
    padding: state.attribute("padding"),
    ceilMode: state.attribute("ceil_mode"),
    countIncludePad: state.attribute("count_include_pad"),
  };
}

function adaptiveAvgPool2d(state: ModuleState): Layer {
  return adaptiveAvgPool2dLayer(state.attribute("output_size") as AdaptiveSize);
}

function batchNormOptions(state: ModuleState): BatchNormOptions {
  const [runningMean, runningVar] = [state.buffer("running_mean"), state.buffer("running_var")];
  if (runningMean === undefined || runningVar === undefined) {
    throw unsupported(
      `${state.label} has no running statistics and divides by those of the data: train with track_running_stats=True`,
    );
  }
  const [weight, bias] = [state.parameter("weight"), state.parameter("bias")];
  return { runningMean, runningVar, weight, bias, eps: state.attribute("eps") as number };
}

function same(kind: IdentityKind): () => Layer {
  return () => identityLayer(kind);
}

function flatten(state: ModuleState): Layer {
  return flattenLayer({ startDim: state.attribute("start_dim"), endDim: state.attribute("end_dim") } as FlattenOptions);
}

function unflatten(state: ModuleState): Layer {
  const options = { dim: state.attribute("dim"), unflattenedSize: state.attribute("unflattened_size") };
  return unflattenLayer(options as UnflattenOptions);
}

/** The sizes that a layer states of itself must be those of its weight. */
function checkShape(state: ModuleState, shape: readonly number[], stated: readonly unknown[]): void {
  if (shape.length !== stated.length || shape.some((size, axis) => size !== stated[axis])) {
    throw new CrcnnError(
      "INVALID_FILE",
      `${state.label}: its weight is ${shape.join("x")}, its attributes say otherwise`,
    );
  }
}

function unsupported(message: string): CrcnnError {
  return new CrcnnError("UNSUPPORTED_LAYER", message);
}
