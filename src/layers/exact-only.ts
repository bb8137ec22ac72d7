/** Layers that cannot run encrypted by themselves, as they are neither affine nor a square. */

import { CrcnnError } from "../errors/index.ts";
import type { Layer } from "../plan/index.ts";
import { type LayerSpec, makeLayer } from "./layer.ts";

/**
 * A layer with an exact forward pass and without algebra, which is marked `exactOnly`: whoever has the key can apply it to decrypted values, and
 * `fit` can put a polynomial in its place.
 */
export function exactOnly(dependsOn: "element" | "window", spec: Omit<LayerSpec, "algebra">): Layer {
  const layer = makeLayer({
    ...spec,
    algebra() {
      throw new CrcnnError(
        "UNSUPPORTED_LAYER",
        `${spec.kind} does not run encrypted: have it fitted by a polynomial, or applied by the key's owner`,
      );
    },
  });
  return Object.freeze({ ...layer, exactOnly: dependsOn });
}
