/** Models by name. */

import type { SourceModel } from "../builder/index.ts";
import { CrcnnError } from "../errors/index.ts";
import type { ModelSummary } from "../protocol/index.ts";

/** What clients are told of a model. */
export function summarize(name: string, { layers }: SourceModel, aliases: readonly string[] | undefined): ModelSummary {
  return { name, ...(aliases ? { aliases } : {}), layers: layers.map(({ layer }) => layer.kind) };
}

/** @throws CrcnnError UNKNOWN_MODEL */
export function requireModel<T>(models: ReadonlyMap<string, T>, name: string): T {
  const model = models.get(name);
  if (model !== undefined) return model;
  throw new CrcnnError(
    "UNKNOWN_MODEL",
    `there is no model ${JSON.stringify(name)} here; there are: ${[...models.keys()].join(", ")}`,
  );
}
