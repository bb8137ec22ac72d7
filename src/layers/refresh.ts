import { identityAffine, type Layer, sizeOf } from "../plan/index.ts";
import { makeLayer } from "./layer.ts";

/**
 * A place in a model where the key's owner decrypts and encrypts afresh, with all levels again; the values stay what they are. It is the same as
 * its number among the re-encryption positions. It has no callable form: the evaluator cannot do it.
 */
export function refreshLayer(): Layer {
  return makeLayer({
    kind: "Refresh",
    options: {},
    outputShape: (inputShape) => [...inputShape],
    products: sizeOf,
    forward: (x) => x.slice(),
    algebra: (inputShape) => ({ kind: "affine", map: identityAffine(inputShape) }),
  });
}
