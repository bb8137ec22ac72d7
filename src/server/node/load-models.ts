/** Models from a directory. */

import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type ActivationFit, applyFit, loadTorch, requireExact, type SourceModel } from "../../builder/index.ts";
import { CrcnnError } from "../../errors/index.ts";
import type { Tensor } from "../../plan/index.ts";
import type { ModelSummary } from "../../protocol/index.ts";
import { summarize } from "../models.ts";
import { shareArrays } from "./share-arrays.ts";

const EXTENSION = ".pt";

/** A model as the pool's threads take it: each reads it for itself, at need. */
export interface ModelFile {
  readonly summary: ModelSummary;
  /** Its name, for messages. */
  readonly file: string;
  /** Its content, in memory that threads share. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly fitted?: ServedFit | undefined;
}

/** Polynomials in the place of a model's activations, with inputs to measure value ranges with. */
export interface ServedFit {
  readonly fit: ActivationFit;
  readonly samples: readonly Tensor[];
}

/** Polynomials for a model that is to be served; undefined for one that shall stay as it is. */
export type FitForServer = (model: SourceModel, file: string) => Promise<ServedFit | undefined>;

export interface LoadedModels {
  /** By file name without its extension, in alphabetic order. */
  readonly models: ReadonlyMap<string, ModelFile>;
  /** Why files were left out. */
  readonly skipped: readonly CrcnnError[];
}

/**
 * Loads every `.pt` file of a directory, and has polynomials fitted where that is wanted. One that cannot be served does not keep the others from being served.
 *
 * @throws CrcnnError INVALID_FILE when there is none that can be, and what the file system says when the directory cannot be read.
 */
export async function loadModels(directory: string, fitForServer?: FitForServer): Promise<LoadedModels> {
  const files = (await readdir(directory)).filter((name) => name.endsWith(EXTENSION)).sort();
  const models = new Map<string, ModelFile>();
  const skipped: CrcnnError[] = [];
  for (const file of files) {
    try {
      const content = await readFile(join(directory, file));
      const model = loadTorch(content, file);
      // Layers that are left to the client are settled when a plan is asked for.
      requireExact(model);
      const name = basename(file, EXTENSION);
      const fitted = await fitForServer?.(model, file);
      const summary = summarize(name, fitted ? applyFit(model, fitted.fit) : model);
      const bytes = new Uint8Array(new SharedArrayBuffer(content.length));
      bytes.set(content);
      models.set(name, { summary, file, bytes, fitted: shareArrays(fitted) });
    } catch (error) {
      skipped.push(error instanceof CrcnnError ? error : unreadable(file, error as NodeJS.ErrnoException));
    }
  }
  if (models.size > 0) return { models, skipped };
  throw new CrcnnError(
    "INVALID_FILE",
    files.length === 0
      ? `${directory} holds no ${EXTENSION} file; save models there with torch.save(model, "name${EXTENSION}")`
      : `${directory} holds no model that can be served: ${skipped[0]?.message}`,
  );
}

/** A folder, a file without permission, one above the 2 GiB that Node reads at once. */
function unreadable(file: string, error: NodeJS.ErrnoException): CrcnnError {
  return new CrcnnError("INVALID_FILE", `${file}: it cannot be read (${error.code ?? error.message})`, {
    cause: error,
  });
}
