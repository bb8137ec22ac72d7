/** Layers that the key's owner applies to decrypted values: from plain data, by a fixed list of kinds. */

import { CrcnnError } from "../errors/index.ts";
import type { Layer, OwnerLayer, Tensor } from "../plan/index.ts";
import { type EluOptions, eluLayer } from "./elu.ts";
import { type GeluOptions, geluLayer } from "./gelu.ts";
import { hardswishLayer } from "./hardswish.ts";
import { type LeakyReluOptions, leakyReluLayer } from "./leaky-relu.ts";
import { type MaxPool2dOptions, maxPool2dLayer } from "./max-pool2d.ts";
import { mishLayer } from "./mish.ts";
import { reluLayer } from "./relu.ts";
import { relu6Layer } from "./relu6.ts";
import { sigmoidLayer } from "./sigmoid.ts";
import { siluLayer } from "./silu.ts";
import { type SoftplusOptions, softplusLayer } from "./softplus.ts";
import { tanhLayer } from "./tanh.ts";

/** PyTorch's class names of the layers that are `exactOnly`. */
export type ExactOnlyKind =
  | "ELU"
  | "GELU"
  | "Hardswish"
  | "LeakyReLU"
  | "MaxPool2d"
  | "Mish"
  | "ReLU"
  | "ReLU6"
  | "SiLU"
  | "Sigmoid"
  | "Softplus"
  | "Tanh";

// The factories check the type and range of every option themselves.
const EXACT_ONLY: Readonly<Record<ExactOnlyKind, (options: unknown) => Layer>> = {
  ELU: (options) => eluLayer(options as EluOptions),
  GELU: (options) => geluLayer(options as GeluOptions),
  Hardswish: hardswishLayer,
  LeakyReLU: (options) => leakyReluLayer(options as LeakyReluOptions),
  MaxPool2d: (options) => maxPool2dLayer(options as MaxPool2dOptions),
  Mish: mishLayer,
  ReLU: reluLayer,
  ReLU6: relu6Layer,
  SiLU: siluLayer,
  Sigmoid: sigmoidLayer,
  Softplus: (options) => softplusLayer(options as SoftplusOptions),
  Tanh: tanhLayer,
};

/** The layer of a kind. @throws TypeError or RangeError for options that it does not take. */
export function exactOnlyLayer(kind: ExactOnlyKind, options: unknown): Layer {
  return EXACT_ONLY[kind](options);
}

/** What stands for a layer in a manifest. The layer must be one of those that are `exactOnly`. */
export function ownerLayerOf({ kind, options }: Layer): OwnerLayer {
  return { kind, options };
}

/** The layer that data from a manifest stands for. @throws CrcnnError INVALID_MESSAGE for a kind that is not on the list, and for options that it does not take. */
export function ownerLayer(data: OwnerLayer): Layer {
  const { kind, options } = data ?? {};
  if (typeof kind !== "string" || !Object.hasOwn(EXACT_ONLY, kind) || typeof options !== "object" || options === null) {
    const known = Object.keys(EXACT_ONLY).join(", ");
    throw new CrcnnError(
      "INVALID_MESSAGE",
      `the plan has the key's owner apply ${JSON.stringify(kind)}, which is none of ${known}; update whichever of client and server is older`,
    );
  }
  try {
    return exactOnlyLayer(kind as ExactOnlyKind, options);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new CrcnnError(
      "INVALID_MESSAGE",
      `the plan has the key's owner apply a layer that does not exist: ${error.message}`,
      {
        cause: error,
      },
    );
  }
}

/** The layers on a tensor in the clear, one after the other. Errors as those of {@link ownerLayer} and of the layers' forward passes. */
export function applyOwnerLayers(layers: readonly OwnerLayer[], input: Tensor): Tensor {
  return layers.reduce((tensor, data) => ownerLayer(data).forward(tensor), input);
}
