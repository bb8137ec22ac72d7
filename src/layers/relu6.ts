import type { Layer } from "../plan/index.ts";
import { pointwiseLayer } from "./pointwise.ts";

/** torch.nn.ReLU6: x held between 0 and 6. */
export function relu6Layer(): Layer {
  return pointwiseLayer("ReLU6", (x) => Math.min(Math.max(x, 0), 6));
}
