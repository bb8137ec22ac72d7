/** Models from a directory. */

import { readdir, readFile } from "node:fs/promises";
import { join, parse } from "node:path";
import { type Architecture, parseArchitecture, readModel, requireSupported } from "../../builder/index.ts";
import { CrcnnError } from "../../errors/index.ts";
import type { ModelSummary } from "../../protocol/index.ts";
import { requireModel, summarize } from "../models.ts";

const EXTENSIONS = [".pt", ".pth", ".safetensors", ".onnx"];
/** Of the architecture beside a file that holds weights alone. */
const ARCHITECTURE = ".architecture.json";

/** A model as the pool's threads take it: each reads it for itself, at need. */
export interface ModelFile {
  readonly summary: ModelSummary;
  /** Its name, for messages. */
  readonly file: string;
  /** Its content, in memory that threads share. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  readonly architecture: Architecture | undefined;
}

export interface LoadedModels {
  /** By file name without its extension, in alphabetic order. */
  readonly models: ReadonlyMap<string, ModelFile>;
  /** Why files were left out. */
  readonly skipped: readonly CrcnnError[];
}

/**
 * Loads every model of a directory: `.pt`, `.pth`, `.safetensors` and `.onnx` files, with the architecture in `name.architecture.json` where there is one.
 * One that cannot be served does not keep the others from being served.
 *
 * @param aliases Names under which requests for layers may ask for models, as well as under their own.
 * @throws CrcnnError INVALID_FILE when there is none that can be, UNKNOWN_MODEL for an alias of one that is not there, and what the file system says when the directory cannot be read.
 */
export async function loadModels(
  directory: string,
  aliases: ReadonlyMap<string, string> = new Map(),
): Promise<LoadedModels> {
  const names = await readdir(directory);
  const files = names.filter((name) => EXTENSIONS.includes(parse(name).ext)).sort();
  const models = new Map<string, ModelFile>();
  const skipped: CrcnnError[] = [];
  for (const file of files) {
    try {
      const { name } = parse(file);
      const twin = models.get(name)?.file;
      if (twin) throw new CrcnnError("INVALID_FILE", `${file}: ${twin} is served as ${name} already; rename one`);
      const content = await readFile(join(directory, file));
      const architecture = await readArchitecture(directory, `${name}${ARCHITECTURE}`, names);
      const model = readModel(content, { name: file, architecture });
      requireSupported(model);
      const own = [...aliases].filter(([, target]) => target === name).map(([alias]) => alias);
      const summary = summarize(name, model, own.length > 0 ? own : undefined);
      const bytes = new Uint8Array(new SharedArrayBuffer(content.length));
      bytes.set(content);
      models.set(name, { summary, file, bytes, architecture });
    } catch (error) {
      skipped.push(error instanceof CrcnnError ? error : unreadable(file, error as NodeJS.ErrnoException));
    }
  }
  if (models.size > 0) {
    for (const target of aliases.values()) requireModel(models, target);
    return { models, skipped };
  }
  throw new CrcnnError(
    "INVALID_FILE",
    files.length === 0
      ? `${directory} holds no ${EXTENSIONS.join(", ")} file; save models there with torch.save(model, "name.pt")`
      : `${directory} holds no model that can be served: ${skipped[0]?.message}`,
  );
}

/** The architecture in a file, where it is among the names of the directory. */
async function readArchitecture(
  directory: string,
  file: string,
  names: readonly string[],
): Promise<Architecture | undefined> {
  return names.includes(file) ? parseArchitecture(await readFile(join(directory, file), "utf8"), file) : undefined;
}

/** A folder, a file without permission, one above the 2 GiB that Node reads at once. */
function unreadable(file: string, error: NodeJS.ErrnoException): CrcnnError {
  return new CrcnnError("INVALID_FILE", `${file}: it cannot be read (${error.code ?? error.message})`, {
    cause: error,
  });
}
