import type { Layer } from "../plan/index.ts";
import { pointwiseLayer } from "./pointwise.ts";

/** 1 / (1 + exp(-x)); exp(-x) may be infinite, the quotient is then 0. */
export function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** torch.nn.Sigmoid: 1 / (1 + exp(-x)). */
export function sigmoidLayer(): Layer {
  return pointwiseLayer("Sigmoid", logistic);
}
