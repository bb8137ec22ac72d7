import type { Layer } from "../plan/index.ts";
import { pointwiseLayer } from "./pointwise.ts";

/** torch.nn.Hardswish: x times x + 3 held between 0 and 6, over 6. */
export function hardswishLayer(): Layer {
  return pointwiseLayer("Hardswish", (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6);
}
