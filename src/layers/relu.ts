import type { Layer } from "../plan/index.ts";
import { elementwiseLayer } from "./elementwise.ts";

/** torch.nn.ReLU: max(x, 0). */
export function reluLayer(): Layer {
  return elementwiseLayer("ReLU", (x) => Math.max(x, 0));
}
