import { CrcnnError } from "../../errors/index.ts";
import { withFileName } from "../source/file.ts";
import { parseJson } from "../source/json.ts";
import type { Architecture } from "./architecture.ts";
import { placeLayers } from "./place.ts";

/** Most characters of an architecture; a layer takes about a hundred. */
const MAX_CHARACTERS: number = 2 ** 20;

/**
 * An architecture from a text of JSON: a list of layers, `[{ "kind": "Conv2d", "inChannels": 1, "outChannels": 4, "kernelSize": 5 }, …]`.
 *
 * @param name what messages call the file.
 * @throws CrcnnError INVALID_FILE where it is not JSON, INVALID_ARCHITECTURE naming the field by its path, LIMIT_EXCEEDED.
 */
export function parseArchitecture(text: string, name = "architecture"): Architecture {
  if (typeof text !== "string") throw new TypeError(`text must be a text of JSON, got ${typeof text}`);
  return withFileName(name, () => {
    if (text.length > MAX_CHARACTERS) {
      throw new CrcnnError("LIMIT_EXCEEDED", `it has ${text.length} characters, at most ${MAX_CHARACTERS} are read`);
    }
    const architecture = parseJson(text, "its content") as Architecture;
    placeLayers(architecture);
    return architecture;
  });
}
