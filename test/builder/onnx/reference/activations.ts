/** Functions of each element, from their definitions. */

import type { Apply, Attributes } from "./arrays.ts";

/** 2 / sqrt(pi) times the integral of exp(-t^2), by its series, for arguments of ordinary size. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.log(1 + Math.exp(x));

const each =
  (of: (x: number, attributes: Attributes) => number): Apply =>
  ([x], attributes) => ({ shape: x!.shape, data: x!.data.map((value) => of(value, attributes)) });

export const ACTIVATIONS: Readonly<Record<string, Apply>> = {
  Relu: each((x) => (x > 0 ? x : 0)),
  Sigmoid: each(sigmoid),
  Tanh: each(Math.tanh),
  Erf: each(erf),
  Softplus: each(softplus),
  Mish: each((x) => x * Math.tanh(softplus(x))),
  Elu: each((x, attributes) => (x < 0 ? attributes.float("alpha", 1) * (Math.exp(x) - 1) : x)),
  LeakyRelu: each((x, attributes) => (x < 0 ? attributes.float("alpha", 0.01) * x : x)),
  HardSigmoid: each((x, attributes) =>
    Math.max(0, Math.min(1, attributes.float("alpha", 0.2) * x + attributes.float("beta", 0.5))),
  ),
  HardSwish: each((x) => x * Math.max(0, Math.min(1, x / 6 + 0.5))),
  Gelu: each((x, attributes) =>
    attributes.text("approximate", "none") === "tanh"
      ? 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
      : 0.5 * x * (1 + erf(x / Math.SQRT2)),
  ),
  Clip: ([x, least, most]) => ({
    shape: x!.shape,
    data: x!.data.map((value) =>
      Math.min(most?.data[0] ?? Number.MAX_VALUE, Math.max(least?.data[0] ?? -Number.MAX_VALUE, value)),
    ),
  }),
};
