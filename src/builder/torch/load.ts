/** The entry to the reader of torch files. */

import { requireFileSize, withFileName } from "../source/file.ts";
import type { SourceModel } from "../source/source-model.ts";
import { openArchive } from "./archive.ts";
import { isLegacy, readLegacy } from "./legacy.ts";
import { toModel } from "./modules.ts";
import type { PickleValue } from "./pickle-values.ts";
import { storageLoader } from "./tensors.ts";
import { unpickle } from "./unpickle.ts";

/**
 * Reads a network saved whole with `torch.save(model, path)`, as an archive or in the format before torch 1.6, whatever the file is called: a
 * torch.nn.Sequential, nested or not, or one bare layer. Nothing in the file is run: it becomes inert data, and only what is on an allow-list
 * is read at all. Layers compute as after `model.eval()`, whichever mode they were saved in.
 *
 * A layer that cannot run encrypted is kept with its `refusal`, a CrcnnError UNSUPPORTED_LAYER naming class, position and remedy; whatever uses
 * it throws that. `selectLayers` takes the layers around it.
 *
 * Weights of float16, bfloat16, float32 and float64 are widened exactly to doubles.
 *
 * @param name what messages call the file.
 * @throws CrcnnError with a message of one line: UNSAFE_FILE (wants code run), INVALID_FILE (damaged), UNSUPPORTED_FILE (of another
 * kind, which it names), UNSUPPORTED_MODEL, LIMIT_EXCEEDED; TypeError for what is no Uint8Array.
 */
export function loadTorch(bytes: Uint8Array, name = "model"): SourceModel {
  if (!(bytes instanceof Uint8Array))
    throw new TypeError("bytes must be a Uint8Array: the content of a file, not its name");
  return withFileName(name, (explain) => toModel(readTorchFile(bytes), explain));
}

/** The object that a file of torch.save holds, as inert data. Errors as those of {@link loadTorch}, without the file's name. */
export function readTorchFile(bytes: Uint8Array): PickleValue {
  requireFileSize(bytes);
  if (isLegacy(bytes)) return readLegacy(bytes);
  const archive = openArchive(bytes);
  return unpickle(archive.pickle, storageLoader(archive));
}
