import type { Layer } from "../plan/index.ts";
import { pointwiseLayer } from "./pointwise.ts";
import { logistic } from "./sigmoid.ts";

/** torch.nn.SiLU, also called swish: x / (1 + exp(-x)). */
export function siluLayer(): Layer {
  return pointwiseLayer("SiLU", (x) => x * logistic(x));
}
