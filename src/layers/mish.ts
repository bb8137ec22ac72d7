import type { Layer } from "../plan/index.ts";
import { pointwiseLayer } from "./pointwise.ts";

/** Above this log(1 + exp(x)) is x to the last bit, and exp(x) might be infinite. */
const LINEAR_FROM = 40;

/** torch.nn.Mish: x tanh(log(1 + exp(x))). */
export function mishLayer(): Layer {
  return pointwiseLayer("Mish", (x) => x * Math.tanh(x > LINEAR_FROM ? x : Math.log1p(Math.exp(x))));
}
