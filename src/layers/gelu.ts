import type { Layer } from "../plan/index.ts";
import { choiceOption } from "./arguments.ts";
import { erf } from "./erf.ts";
import { pointwiseLayer } from "./pointwise.ts";

const FORMS = ["none", "tanh"] as const;

export interface GeluOptions {
  /** "none", the default: with the normal distribution itself; "tanh": with an approximation of it. */
  readonly approximate?: (typeof FORMS)[number] | undefined;
}

/** torch.nn.GELU: x times the standard normal distribution at x. @throws TypeError or RangeError for another approximation. */
export function geluLayer(options: GeluOptions = {}): Layer {
  const approximate = choiceOption("GELU: approximate", options.approximate ?? "none", FORMS);
  return pointwiseLayer("GELU", approximate === "tanh" ? withTanh : withErf, { approximate });
}

function withErf(x: number): number {
  return 0.5 * x * (1 + erf(x * Math.SQRT1_2));
}

function withTanh(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}
