/** Who runs which layers: the evaluator those that are algebra, the key's owner those that are exact in the clear alone. */

import { CrcnnError } from "../errors/index.ts";
import { ownerLayerOf } from "../layers/index.ts";
import type { Layer, OwnerLayer } from "../plan/index.ts";
import { cutAtRefreshes, describeLayer, readsOf } from "./network.ts";
import type { SourceModel } from "./source/source-model.ts";

/** Layers that run encrypted, and those that are applied to their decrypted result. */
export interface SharedStretch {
  readonly encrypted: SourceModel;
  /** A chain; it may be empty. */
  readonly owner: SourceModel;
  /** The same as plain data. */
  readonly ownerLayers: readonly OwnerLayer[];
}

/**
 * Cuts a model at re-encryption positions, and around layers that are `exactOnly`.
 *
 * @throws RangeError for a position that is no layer's number, and for one within a shortcut; CrcnnError UNSUPPORTED_MODEL where such a layer
 * stands within a shortcut, or before everything that runs encrypted.
 */
export function cutForOwner(model: SourceModel, rencryptPositions: readonly number[]): SharedStretch[] {
  const stretches: SharedStretch[] = [];
  for (const stretch of cut(model, rencryptPositions)) {
    if (!stretch.layers[0].layer.exactOnly) {
      stretches.push({ encrypted: stretch, owner: { layers: [] }, ownerLayers: [] });
      continue;
    }
    requireChain(stretch);
    const before = stretches.pop();
    if (before === undefined) {
      const [first] = stretch.layers;
      throw new CrcnnError(
        "UNSUPPORTED_MODEL",
        `${describeLayer(first)} comes before every layer that runs encrypted: leave it out, and apply it to the inputs before they are encrypted`,
      );
    }
    const layers = [...before.owner.layers, ...stretch.layers];
    stretches.push({ ...before, owner: { layers }, ownerLayers: layers.map(({ layer }) => ownerLayerOf(layer)) });
  }
  return stretches;
}

function isOwners(layer: Layer | undefined): boolean {
  return layer?.exactOnly !== undefined;
}

function cut(model: SourceModel, rencryptPositions: readonly number[]): SourceModel[] {
  const own = model.layers
    .filter(({ layer }, i) => isOwners(layer) !== isOwners(model.layers[i - 1]?.layer))
    .map(({ index }) => index);
  const asked = cutAtRefreshes(model, rencryptPositions);
  if (own.length === 0) return asked;
  try {
    return cutAtRefreshes(model, [...rencryptPositions, ...own]);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CrcnnError(
      "UNSUPPORTED_MODEL",
      `the key's owner cannot apply a layer within a shortcut, since it decrypts one tensor at a time (${error.message}); fit polynomials instead`,
      { cause: error },
    );
  }
}

/** @throws CrcnnError UNSUPPORTED_MODEL for a layer that reads anything but the layer before it. */
function requireChain(stretch: SourceModel): void {
  const at = readsOf(stretch).findIndex((reads, i) => reads.length !== 1 || reads[0] !== i);
  if (at < 0) return;
  throw new CrcnnError(
    "UNSUPPORTED_MODEL",
    `${describeLayer(stretch.layers[at])} does not read the layer before it, and the key's owner applies chains of layers; fit polynomials instead`,
  );
}
