import type { Layer } from "../plan/index.ts";
import { elementwiseLayer } from "./elementwise.ts";
import { logistic } from "./sigmoid.ts";

/** torch.nn.SiLU, also called swish: x / (1 + exp(-x)). */
export function siluLayer(): Layer {
  return elementwiseLayer("SiLU", (x) => x * logistic(x));
}
