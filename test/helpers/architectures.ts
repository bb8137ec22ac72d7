import { readFileSync } from "node:fs";
import { type Architecture, parseArchitecture, readModel, type SourceModel } from "../../src/builder/index.ts";

const read = (path: string): Buffer => readFileSync(new URL(`../fixtures/${path}`, import.meta.url));

/** The layers of a trained model that comes as weights alone. */
export function architectureFixture(name: string): Architecture {
  return parseArchitecture(read(`architectures/${name}.json`).toString(), `${name}.json`);
}

/** A trained model from a file of its weights. */
export function loadWeights(name: string, file: string): SourceModel {
  return readModel(read(`models/${name}/${file}`), { architecture: architectureFixture(name), name: file });
}
