import { type Evaluator, type Layer, sizeOf } from "../plan/index.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";

/**
 * y = x * x for each element, on any shape: the activation that costs an encrypted network one product (Dowlin et al.,
 * "CryptoNets", ICML 2016). PyTorch has no such module; models bring their own class `Square`.
 */
export function squareLayer(): Layer {
  return makeLayer({
    kind: "Square",
    options: {},
    outputShape: (inputShape) => [...inputShape],
    products: sizeOf,
    forward: (x) => x.map((value) => value * value),
    algebra: () => ({ kind: "square" }),
  });
}

/** {@link squareLayer} on encrypted tensors: `const layer = square(he); const y = layer(x);`. */
export function square(he: Evaluator): CallableLayer {
  return callable(he, squareLayer());
}
