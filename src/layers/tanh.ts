import type { Layer } from "../plan/index.ts";
import { elementwiseLayer } from "./elementwise.ts";

/** torch.nn.Tanh. */
export function tanhLayer(): Layer {
  return elementwiseLayer("Tanh", Math.tanh);
}
