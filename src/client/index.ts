/** The key owner's line to a server: keys and images are encrypted here, and only here are results read. */

export { type ModelSummary, type PlanRequest, ServerRefusedError } from "../protocol/index.ts";
export { type Client, type ClientOptions, createClient } from "./client.ts";
export { type ComputedLayers, type ComputeLayersOptions, computeLayers } from "./compute.ts";
export * from "./config.ts";
export type { Classification, ClientProgress, ClientSession, ClientStep, SessionSetup, Traffic } from "./session.ts";
