/** A network's layers as a program or a JSON file lists them, for weights that come without layers. */

import type {
  AdaptiveSize,
  AvgPool1dOptions,
  AvgPool2dOptions,
  ConcatOptions,
  Conv1dOptions,
  Conv2dOptions,
  ConvTranspose2dOptions,
  EluOptions,
  FlattenOptions,
  GeluOptions,
  IdentityKind,
  LeakyReluOptions,
  MaxPool2dOptions,
  Pair,
  PolynomialOptions,
  SidePadding,
  Single,
  SoftplusOptions,
  UnflattenOptions,
} from "../../layers/index.ts";

/** Where a layer stands. */
export interface Placement {
  /**
   * What the keys of its weights begin with: `conv1` for `conv1.weight`, also `block.conv1`. Where it is left out, its index in the list that it
   * stands in, as in torch.nn.Sequential.
   */
  readonly name?: string | undefined;
  /**
   * What it reads, where that is not the output of the layer before it: earlier layers, by name from the outermost list on (`block.bn2`), or
   * by their number in the order in which layers run (from 0, Sequentials not counted); -1 is the network's input.
   */
  readonly inputs?: readonly (string | number)[] | undefined;
}

interface Channels {
  readonly inChannels: number;
  readonly outChannels: number;
  /** True where omitted, as in PyTorch. */
  readonly bias?: boolean | undefined;
}

interface Normalization {
  readonly numFeatures: number;
  /** Added to the variance; 1e-5 where omitted. */
  readonly eps?: number | undefined;
  /** Whether it has weight and bias; true where omitted. */
  readonly affine?: boolean | undefined;
}

interface Joining {
  readonly inputs: readonly (string | number)[];
}

/** By kind, PyTorch's arguments in camel case, with PyTorch's defaults. */
interface Options {
  Conv1d: Channels & Omit<Conv1dOptions, "weight" | "bias"> & { readonly kernelSize: Single };
  Conv2d: Channels & Omit<Conv2dOptions, "weight" | "bias"> & { readonly kernelSize: Pair };
  ConvTranspose2d: Channels & Omit<ConvTranspose2dOptions, "weight" | "bias"> & { readonly kernelSize: Pair };
  Linear: { readonly inFeatures: number; readonly outFeatures: number; readonly bias?: boolean | undefined };
  BatchNorm1d: Normalization;
  BatchNorm2d: Normalization;
  AvgPool1d: AvgPool1dOptions;
  AvgPool2d: AvgPool2dOptions;
  AdaptiveAvgPool2d: { readonly outputSize: AdaptiveSize };
  ZeroPad2d: { readonly padding: SidePadding };
  Flatten: FlattenOptions;
  Unflatten: UnflattenOptions;
  Square: object;
  ELU: EluOptions;
  GELU: GeluOptions;
  Hardswish: object;
  LeakyReLU: LeakyReluOptions;
  Mish: object;
  ReLU: object;
  ReLU6: object;
  SiLU: object;
  Sigmoid: object;
  Softplus: SoftplusOptions;
  Tanh: object;
  MaxPool2d: MaxPool2dOptions;
  Polynomial: PolynomialOptions;
  Refresh: object;
  /** The sum of its inputs. */
  Add: Joining;
  /** torch.cat of its inputs. */
  Concat: Joining & ConcatOptions;
  Sequential: { readonly layers: readonly LayerDescription[] };
}

/** One layer, or a Sequential of several: `{ kind: "Conv2d", inChannels: 1, outChannels: 4, kernelSize: 5 }`. */
export type LayerDescription =
  | { [K in keyof Options]: { readonly kind: K } & Options[K] & Placement }[keyof Options]
  | ({ readonly kind: IdentityKind; readonly p?: number | undefined } & Placement);

/**
 * The layers of a network in the order in which they run, or the one layer that it is, whose weights have no prefix (`weight`). The last layer's
 * output is the network's.
 */
export type Architecture = readonly LayerDescription[] | LayerDescription;
