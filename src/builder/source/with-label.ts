import { CrcnnError } from "../../errors/index.ts";
import type { Layer } from "../../plan/index.ts";

/** Runs a factory; what it finds wrong with an option is the file's fault, not the caller's. */
export function withLabel(label: string, make: () => Layer): Layer {
  try {
    return make();
  } catch (error) {
    if (error instanceof CrcnnError && error.code !== "SHAPE_MISMATCH") throw error;
    if (!(error instanceof Error)) throw error;
    throw new CrcnnError("INVALID_FILE", `${label}: ${error.message}`, { cause: error });
  }
}
