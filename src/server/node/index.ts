/** The server on Node. */
export { type LoadedModels, loadModels } from "./load-models.ts";
export { type RunningServer, type ServeOptions, serve } from "./serve.ts";
