/** The entry to the reader of ONNX files. */

import type { CrcnnError } from "../../errors/index.ts";
import { requireFileSize, withFileName } from "../source/file.ts";
import type { SourceModel } from "../source/source-model.ts";
import { readMessages } from "./messages.ts";
import { readNetwork } from "./network.ts";

/**
 * Reads a network from an ONNX file of operator sets 7 to 21, whatever the file is called: a graph of one input and one output, whose first
 * axis is the batch. It is dropped: a layer works on one image. Nothing in the file is run, no other file is read, and only operators on an
 * allow-list become layers, where possible those that the network's torch file has. What exporters compute from constants and shapes alone is
 * computed while reading.
 *
 * A layer that cannot run encrypted is kept with its `refusal`, a CrcnnError UNSUPPORTED_LAYER naming kind, node and remedy; whatever uses it
 * throws that. Operators that no layer stands for are refused at once.
 *
 * Weights of float16, bfloat16, float32 and float64 are widened exactly to doubles.
 *
 * @param name what messages call the file.
 * @throws CrcnnError with a message of one line: INVALID_FILE (damaged, or not what the standard allows), UNSUPPORTED_FILE (another version or
 * element type, data in other files), UNSUPPORTED_LAYER, UNSUPPORTED_MODEL, LIMIT_EXCEEDED; TypeError for what is no Uint8Array.
 */
export function loadOnnx(bytes: Uint8Array, name = "model"): SourceModel {
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError("bytes must be a Uint8Array: the content of a file, not its name");
  }
  return withFileName(name, (explain) => readOnnx(bytes, explain));
}

/**
 * As {@link loadOnnx}, without the file's name.
 *
 * @param explain puts it before a refusal, which is kept.
 */
export function readOnnx(bytes: Uint8Array, explain: (error: CrcnnError) => CrcnnError): SourceModel {
  requireFileSize(bytes);
  return readNetwork(readMessages(bytes), explain);
}
