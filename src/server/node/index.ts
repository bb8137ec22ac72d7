/** The server on Node. */
export { type ComputePoolOptions, createComputePool } from "./compute-pool.ts";
export { type LoadedModels, loadModels, type ModelFile } from "./load-models.ts";
export { type RunningServer, type ServeOptions, serve } from "./serve.ts";
