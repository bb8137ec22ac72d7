export { loadTorch } from "./load.ts";
export type { SourceLayer, SourceModel } from "./source-model.ts";
