export { loadTorch } from "./load.ts";
export { MODEL_INPUT, type SourceLayer, type SourceModel } from "./source-model.ts";
