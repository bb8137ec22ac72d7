import type { Layer } from "../plan/index.ts";
import { finiteOption } from "./arguments.ts";
import { pointwiseLayer } from "./pointwise.ts";

export interface EluOptions {
  /** What negative values tend to, with the other sign; 1 where omitted. */
  readonly alpha?: number | undefined;
}

/** torch.nn.ELU: x where it is positive, else alpha (exp(x) - 1). @throws TypeError or RangeError for an alpha that is no finite number. */
export function eluLayer(options: EluOptions = {}): Layer {
  const alpha = finiteOption("ELU: alpha", options.alpha ?? 1);
  return pointwiseLayer("ELU", (x) => (x > 0 ? x : alpha * Math.expm1(x)), { alpha });
}
