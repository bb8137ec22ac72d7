/** What each kind of layer takes: its fields, the weights that follow from them, and the layer. */

import {
  type AdaptiveSize,
  type AvgPool1dOptions,
  type AvgPool2dOptions,
  adaptiveAvgPool2dLayer,
  addLayer,
  avgPool1dLayer,
  avgPool2dLayer,
  type BatchNormOptions,
  batchNorm1dLayer,
  batchNorm2dLayer,
  type ConcatOptions,
  type Conv1dOptions,
  type Conv2dOptions,
  type ConvTranspose2dOptions,
  concatLayer,
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
  type PolynomialOptions,
  polynomialLayer,
  refreshLayer,
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
import type { Layer, Shape, Tensor } from "../../plan/index.ts";
import type { FieldReader } from "./fields.ts";

/** The fields of a description by name. */
export type Fields = Readonly<Record<string, unknown>>;

export interface KindDefinition {
  /** The names of its fields, besides those of every description. */
  readonly fields: readonly string[];
  /** It takes two inputs or more, others take one. */
  readonly joins?: boolean;
  /** The shapes of its weights, by the names that they have in a state_dict. */
  weights(fields: FieldReader): ReadonlyMap<string, Shape>;
  /** Names in a state_dict that say nothing of the layer. */
  readonly ignored?: readonly string[];
  /** The layer; the factories of layers check the fields that `weights` has not. */
  make(fields: Fields, weights: ReadonlyMap<string, Tensor>): Layer;
}

const CONVOLUTION = ["inChannels", "outChannels", "kernelSize", "stride", "padding", "dilation", "groups", "bias"];
const POOL = ["kernelSize", "stride", "padding", "ceilMode", "countIncludePad"];
const DROPOUTS = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"] as const;

export const KINDS: ReadonlyMap<string, KindDefinition> = new Map<string, KindDefinition>([
  ["Conv1d", convolution(1, (options) => conv1dLayer(options as unknown as Conv1dOptions))],
  ["Conv2d", convolution(2, (options) => conv2dLayer(options as unknown as Conv2dOptions))],
  [
    "ConvTranspose2d",
    {
      ...convolution(2, (options) => convTranspose2dLayer(options as unknown as ConvTranspose2dOptions), true),
      fields: [...CONVOLUTION, "outputPadding"],
    },
  ],
  [
    "Linear",
    {
      fields: ["inFeatures", "outFeatures", "bias"],
      weights(fields) {
        const outputs = fields.size("outFeatures");
        const shapes = new Map<string, Shape>([["weight", [outputs, fields.size("inFeatures")]]]);
        if (fields.flag("bias", true)) shapes.set("bias", [outputs]);
        return shapes;
      },
      make: (_, weights) => linearLayer({ weight: weights.get("weight") as Tensor, bias: weights.get("bias") }),
    },
  ],
  ["BatchNorm1d", normalization(batchNorm1dLayer)],
  ["BatchNorm2d", normalization(batchNorm2dLayer)],
  ["AvgPool1d", weightless(POOL, (fields) => avgPool1dLayer(fields as unknown as AvgPool1dOptions))],
  [
    "AvgPool2d",
    weightless([...POOL, "divisorOverride"], (fields) => avgPool2dLayer(fields as unknown as AvgPool2dOptions)),
  ],
  [
    "AdaptiveAvgPool2d",
    weightless(["outputSize"], ({ outputSize }) => adaptiveAvgPool2dLayer(outputSize as AdaptiveSize)),
  ],
  ["ZeroPad2d", weightless(["padding"], ({ padding }) => zeroPad2dLayer(padding as SidePadding))],
  ["Flatten", weightless(["startDim", "endDim"], (fields) => flattenLayer(fields as FlattenOptions))],
  [
    "Unflatten",
    weightless(["dim", "unflattenedSize"], (fields) => unflattenLayer(fields as unknown as UnflattenOptions)),
  ],
  ["Square", weightless([], squareLayer)],
  ["ELU", weightless(["alpha"], (fields) => eluLayer(fields as EluOptions))],
  ["GELU", weightless(["approximate"], (fields) => geluLayer(fields as GeluOptions))],
  ["Hardswish", weightless([], hardswishLayer)],
  ["LeakyReLU", weightless(["negativeSlope"], (fields) => leakyReluLayer(fields as LeakyReluOptions))],
  ["Mish", weightless([], mishLayer)],
  ["ReLU", weightless([], reluLayer)],
  ["ReLU6", weightless([], relu6Layer)],
  ["SiLU", weightless([], siluLayer)],
  ["Sigmoid", weightless([], sigmoidLayer)],
  ["Softplus", weightless(["beta", "threshold"], (fields) => softplusLayer(fields as SoftplusOptions))],
  ["Tanh", weightless([], tanhLayer)],
  [
    "MaxPool2d",
    weightless(["kernelSize", "stride", "padding", "dilation", "ceilMode"], (fields) =>
      maxPool2dLayer(fields as unknown as MaxPool2dOptions),
    ),
  ],
  ["Polynomial", weightless(["coefficients"], (fields) => polynomialLayer(fields as unknown as PolynomialOptions))],
  ["Add", { ...weightless([], addLayer), joins: true }],
  ["Concat", { ...weightless(["dim"], (fields) => concatLayer(fields as ConcatOptions)), joins: true }],
  ["Refresh", weightless([], refreshLayer)],
  ["Identity", weightless([], () => identityLayer())],
  ...DROPOUTS.map((kind) => [kind, weightless(["p"], () => identityLayer(kind satisfies IdentityKind))] as const),
]);

function weightless(fields: readonly string[], make: (fields: Fields) => Layer): KindDefinition {
  return { fields, weights: () => new Map(), make };
}

/** @param transposed the weight has the input channels first, and those of the outputs in groups. */
function convolution(axes: number, make: (options: Fields) => Layer, transposed = false): KindDefinition {
  return {
    fields: CONVOLUTION,
    weights(fields) {
      const [inputs, outputs] = [fields.size("inChannels"), fields.size("outChannels")];
      const groups = fields.size("groups", 1);
      const grouped = fields.divided(transposed ? "outChannels" : "inChannels", groups);
      const kernel = fields.sizes("kernelSize", axes);
      const shapes = new Map<string, Shape>([["weight", [transposed ? inputs : outputs, grouped, ...kernel]]]);
      if (fields.flag("bias", true)) shapes.set("bias", [outputs]);
      return shapes;
    },
    make: (fields, weights) => make({ ...fields, weight: weights.get("weight"), bias: weights.get("bias") }),
  };
}

function normalization(make: (options: BatchNormOptions) => Layer): KindDefinition {
  return {
    fields: ["numFeatures", "eps", "affine"],
    ignored: ["num_batches_tracked"],
    weights(fields) {
      const shape = [fields.size("numFeatures")];
      const affine = fields.flag("affine", true) ? ["weight", "bias"] : [];
      return new Map([...affine, "running_mean", "running_var"].map((name) => [name, shape]));
    },
    make: ({ eps }, weights) =>
      make({
        runningMean: weights.get("running_mean") as Tensor,
        runningVar: weights.get("running_var") as Tensor,
        weight: weights.get("weight"),
        bias: weights.get("bias"),
        eps: eps as number | undefined,
      }),
  };
}
