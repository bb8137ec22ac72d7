/** A model from the bytes of a file, whose content decides how it is read. */

import { CrcnnError } from "../errors/index.ts";
import type { Architecture } from "./architecture/architecture.ts";
import { buildModel } from "./architecture/build.ts";
import { type PlacedLayer, placeLayers } from "./architecture/place.ts";
import { isOnnx } from "./onnx/is-onnx.ts";
import { readOnnx } from "./onnx/load.ts";
import { isSafetensors, readSafetensors } from "./safetensors/read.ts";
import { PASS_ARCHITECTURE, withFileName } from "./source/file.ts";
import type { SourceModel } from "./source/source-model.ts";
import { readTorchFile } from "./torch/load.ts";
import { toModel } from "./torch/modules.ts";
import { stateDictOf } from "./torch/state-dict.ts";

export interface ReadModelOptions {
  /** The layers of the network, for files that hold weights alone. */
  readonly architecture?: Architecture | undefined;
  /** What messages call the file; "model" where omitted. */
  readonly name?: string | undefined;
}

/**
 * Reads a network. Nothing in the file is run.
 *
 * - A file of torch.save(model), as an archive or in the format before torch 1.6: see `loadTorch`.
 * - A file of torch.save(model.state_dict()), or a training checkpoint with a state_dict under `model_state_dict`, `state_dict` or `model`, with
 *   an architecture. A whole network of a class of its own is taken for its weights where an architecture is given.
 * - A .safetensors file with an architecture.
 * - An ONNX file: see `loadOnnx`.
 *
 * Names before those of the architecture that all keys have, `module.` of DataParallel, `_orig_mod.` of torch.compile or `model.`, are passed over.
 *
 * @throws CrcnnError with a message of one line: UNSAFE_FILE (wants code run), INVALID_FILE (damaged), UNSUPPORTED_FILE (of another kind, or
 * without an architecture that it needs), INVALID_ARCHITECTURE, STATE_MISMATCH (an entry is missing, unexpected or of another shape),
 * UNSUPPORTED_MODEL, LIMIT_EXCEEDED; TypeError for what is no Uint8Array.
 */
export function readModel(bytes: Uint8Array, { architecture, name = "model" }: ReadModelOptions = {}): SourceModel {
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError("bytes must be a Uint8Array: the content of a file, not its name; load() takes names");
  }
  return withFileName(name, (explain) => {
    const layers = architecture === undefined ? undefined : placeLayers(architecture);
    if (isSafetensors(bytes)) return buildModel(requireArchitecture(layers), readSafetensors(bytes), explain);
    if (isOnnx(bytes)) {
      if (layers === undefined) return readOnnx(bytes, explain);
      throw new CrcnnError(
        "UNSUPPORTED_FILE",
        "it is an ONNX model, which has its layers itself: leave out the architecture",
      );
    }
    const root = readTorchFile(bytes);
    return layers === undefined ? toModel(root, explain) : buildModel(layers, stateDictOf(root), explain);
  });
}

function requireArchitecture(layers: readonly PlacedLayer[] | undefined): readonly PlacedLayer[] {
  if (layers !== undefined) return layers;
  throw new CrcnnError(
    "UNSUPPORTED_FILE",
    `it is a safetensors file, which holds weights without layers: ${PASS_ARCHITECTURE}`,
  );
}
