import { CrcnnError } from "../../errors/index.ts";

/** The error for a description at `path`, as `architecture[3].stride`, that is not what it should be. */
export function malformed(path: string, problem: string): CrcnnError {
  return new CrcnnError("INVALID_ARCHITECTURE", `${path} ${problem}`);
}
