import type { Layer } from "../plan/index.ts";
import { finiteOption } from "./arguments.ts";
import { pointwiseLayer } from "./pointwise.ts";

export interface LeakyReluOptions {
  /** What negative values are multiplied by; 0.01 where omitted. */
  readonly negativeSlope?: number | undefined;
}

/** torch.nn.LeakyReLU: x where it is positive, else negativeSlope x. @throws TypeError or RangeError for a slope that is no finite number. */
export function leakyReluLayer(options: LeakyReluOptions = {}): Layer {
  const negativeSlope = finiteOption("LeakyReLU: negativeSlope", options.negativeSlope ?? 0.01);
  return pointwiseLayer("LeakyReLU", (x) => (x > 0 ? x : negativeSlope * x), { negativeSlope });
}
