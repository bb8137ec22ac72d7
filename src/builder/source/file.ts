/** What every reader of files does around its own work. */

import { CrcnnError } from "../../errors/index.ts";
import { MAX_FILE_BYTES } from "./limits.ts";
import { printable } from "./text.ts";

/** What is wrong with a file of weights alone that is given alone, said once for all readers. */
export const PASS_ARCHITECTURE =
  "list its layers, load(source, { architecture }) or --architecture FILE.json, or save the network itself with torch.save(model, path)";

/**
 * Reads a file with its name before each message.
 *
 * @param name what messages call the file.
 * @param read gets the function that puts the name before a message, for errors that are kept.
 */
export function withFileName<T>(name: string, read: (explain: (error: CrcnnError) => CrcnnError) => T): T {
  const explain = (error: CrcnnError): CrcnnError =>
    new CrcnnError(error.code, `${printable(name)}: ${error.message}`, { cause: error });
  try {
    return read(explain);
  } catch (error) {
    throw error instanceof CrcnnError ? explain(error) : error;
  }
}

/** @throws CrcnnError LIMIT_EXCEEDED for a file of more than {@link MAX_FILE_BYTES}. */
export function requireFileSize(bytes: Uint8Array): void {
  if (bytes.length <= MAX_FILE_BYTES) return;
  throw new CrcnnError("LIMIT_EXCEEDED", `the file has ${bytes.length} bytes, at most ${MAX_FILE_BYTES} are read`);
}
