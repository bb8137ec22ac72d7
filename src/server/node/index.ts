/** The server on Node. */
export { type ComputePoolOptions, createComputePool } from "./compute-pool.ts";
export { type FitForServer, type LoadedModels, loadModels, type ModelFile, type ServedFit } from "./load-models.ts";
export { type RunningServer, type ServeOptions, serve } from "./serve.ts";
