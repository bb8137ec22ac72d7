/** Layers that cannot run encrypted are kept, so that those around them can be used. */

import { CrcnnError } from "../../errors/index.ts";
import type { Layer } from "../../plan/index.ts";
import { exactOnlyRefusal } from "../activation-refusal.ts";
import type { SourceLayer } from "./source-model.ts";

/**
 * The layer that is made, or what stands for it where making it is refused with UNSUPPORTED_LAYER: every use of that throws the refusal. A layer
 * that runs in the clear alone has a refusal, too.
 *
 * @param kind the name that a refused layer goes by.
 * @param label what messages call the layer: `layer 3 (ReLU)`.
 * @param explain puts the file's name before a refusal.
 */
export function layerOrRefusal(
  kind: string,
  label: string,
  make: () => Layer,
  explain: (error: CrcnnError) => CrcnnError,
): Pick<SourceLayer, "layer" | "refusal"> {
  try {
    const layer = make();
    return layer.exactOnly ? { layer, refusal: explain(exactOnlyRefusal(label, layer)) } : { layer };
  } catch (error) {
    if (!(error instanceof CrcnnError && error.code === "UNSUPPORTED_LAYER")) throw error;
    const refusal = explain(error);
    return { layer: refusedLayer(kind, refusal), refusal };
  }
}

/** What stands for a layer that cannot run encrypted: every use of it throws the refusal. */
export function refusedLayer(kind: string, refusal: CrcnnError): Layer {
  const refuse = (): never => {
    throw refusal;
  };
  return Object.freeze({ kind, options: Object.freeze({}), outputShape: refuse, forward: refuse, algebra: refuse });
}
