import type { Layer } from "../plan/index.ts";
import { finiteOption } from "./arguments.ts";
import { pointwiseLayer } from "./pointwise.ts";

export interface SoftplusOptions {
  /** How sharp the bend is, not 0; 1 where omitted. */
  readonly beta?: number | undefined;
  /** Where beta x is above this, y = x; 20 where omitted. */
  readonly threshold?: number | undefined;
}

/** torch.nn.Softplus: log(1 + exp(beta x)) / beta. @throws TypeError or RangeError for options that are no finite numbers, and a beta of 0. */
export function softplusLayer(options: SoftplusOptions = {}): Layer {
  const beta = finiteOption("Softplus: beta", options.beta ?? 1);
  const threshold = finiteOption("Softplus: threshold", options.threshold ?? 20);
  if (beta === 0) throw new RangeError("Softplus: beta must not be 0");
  const f = (x: number): number => (beta * x > threshold ? x : Math.log1p(Math.exp(beta * x)) / beta);
  return pointwiseLayer("Softplus", f, { beta, threshold });
}
