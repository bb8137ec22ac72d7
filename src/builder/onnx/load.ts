/** The entry to the reader of ONNX files. */

import { CrcnnError } from "../../errors/index.ts";
import { MAX_FILE_BYTES } from "../source/limits.ts";
import type { SourceModel } from "../source/source-model.ts";
import { printable } from "../source/text.ts";
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
  if (!(bytes instanceof Uint8Array))
    throw new TypeError("bytes must be a Uint8Array: the content of a file, not its name");
  const explain = (error: CrcnnError): CrcnnError =>
    new CrcnnError(error.code, `${printable(name)}: ${error.message}`, { cause: error });
  try {
    if (bytes.length > MAX_FILE_BYTES) {
      throw new CrcnnError("LIMIT_EXCEEDED", `the file has ${bytes.length} bytes, at most ${MAX_FILE_BYTES} are read`);
    }
    return readNetwork(readMessages(bytes), explain);
  } catch (error) {
    throw error instanceof CrcnnError ? explain(error) : error;
  }
}

/** Tags of ModelProto's fields that a file may continue with after its first: texts, numbers, the graph, the operator sets. */
const NEXT_TAGS: readonly (number | undefined)[] = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42];
const IR_VERSION_TAG = 0x08;
/** Far above any version of the format so far, and below the control characters that begin other files. */
const MAX_IR_VERSION = 0x40;

/** True for content that begins as an ONNX file does, with the version of its format. Whether it is one is for {@link loadOnnx} to say. */
export function isOnnx(bytes: Uint8Array): boolean {
  const [tag, version, next] = bytes;
  return tag === IR_VERSION_TAG && version !== undefined && version < MAX_IR_VERSION && NEXT_TAGS.includes(next);
}
