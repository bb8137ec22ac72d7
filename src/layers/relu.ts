import type { Layer } from "../plan/index.ts";
import { pointwiseLayer } from "./pointwise.ts";

/** torch.nn.ReLU: max(x, 0). */
export function reluLayer(): Layer {
  return pointwiseLayer("ReLU", (x) => Math.max(x, 0));
}
