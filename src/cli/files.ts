/** Files that the commands read, and what comes with the package. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  type Architecture,
  parseArchitecture,
  readModel,
  requireSupported,
  type SourceModel,
} from "../builder/index.ts";
import { readLocalFile } from "../builder/load/node/read-file.ts";

/** Seen from `dist/cli`, where this runs. */
const PACKAGE = new URL("../../", import.meta.url);

/** The path of something that comes with the package. */
export function packagePath(path: string): string {
  return fileURLToPath(new URL(path, PACKAGE));
}

export async function packageVersion(): Promise<string> {
  const { version } = JSON.parse(await readFile(packagePath("package.json"), "utf8")) as { version: string };
  return version;
}

/** As many bytes as the largest model may have (256 MiB); images have less. */
const MAX_FILE_BYTES = 2 ** 28;

/**
 * A file that the user named, which may be a device or a pipe without an end.
 *
 * @throws CrcnnError LIMIT_EXCEEDED, and what the system says.
 */
export function readNamed(file: string): Promise<Uint8Array> {
  return readLocalFile(file, MAX_FILE_BYTES);
}

/** The option of all commands that read a model, for citty. */
export const modelOptions = {
  architecture: {
    type: "string",
    valueHint: "FILE",
    description:
      'For weights without layers (a state_dict or .safetensors): a JSON file that lists the layers, as [{ "kind": "Linear", "inFeatures": 784, "outFeatures": 10 }]',
  },
} as const;

/** What a model is read from: plain data that can go to another thread. */
export interface ModelFile {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly architecture: Architecture | undefined;
}

/** @param architecture the file that `--architecture` names. */
export async function readModelFile(file: string, architecture: string | undefined): Promise<ModelFile> {
  const bytes = await readNamed(file);
  if (architecture === undefined) return { bytes, name: file, architecture };
  const text = new TextDecoder().decode(await readNamed(architecture));
  return { bytes, name: file, architecture: parseArchitecture(text, architecture) };
}

/** A model of which some layers may not run encrypted: those that are wanted may be others. */
export async function loadLayers(file: string, architecture?: string): Promise<SourceModel> {
  const { bytes, ...options } = await readModelFile(file, architecture);
  return readModel(bytes, options);
}

/** A model that can run encrypted. */
export async function loadModel(file: string, architecture?: string): Promise<SourceModel> {
  const model = await loadLayers(file, architecture);
  requireSupported(model);
  return model;
}
