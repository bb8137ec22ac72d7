import { type Evaluator, identityAffine, type Layer, sizeOf } from "../plan/index.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";

/** Layers of PyTorch that give back what they get when a trained network runs. */
export type IdentityKind =
  | "Identity"
  | "Dropout"
  | "Dropout1d"
  | "Dropout2d"
  | "Dropout3d"
  | "AlphaDropout"
  | "FeatureAlphaDropout";

/** torch.nn.Identity, or a dropout layer in evaluation mode, on any shape: y = x. It costs an encrypted network nothing. */
export function identityLayer(kind: IdentityKind = "Identity"): Layer {
  return makeLayer({
    kind,
    options: {},
    outputShape: (inputShape) => [...inputShape],
    products: sizeOf,
    forward: (x) => x.slice(),
    algebra: (inputShape) => ({ kind: "affine", map: identityAffine(inputShape) }),
  });
}

/** {@link identityLayer} on encrypted tensors: `const layer = identity(he); const y = layer(x);`. */
export function identity(he: Evaluator, kind: IdentityKind = "Identity"): CallableLayer {
  return callable(he, identityLayer(kind));
}
