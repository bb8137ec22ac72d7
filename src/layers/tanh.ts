import type { Layer } from "../plan/index.ts";
import { pointwiseLayer } from "./pointwise.ts";

/** torch.nn.Tanh. */
export function tanhLayer(): Layer {
  return pointwiseLayer("Tanh", Math.tanh);
}
