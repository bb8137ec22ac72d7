/** The server: a Hono app on fetch types alone. It holds models, plans and public keys, and never a secret one. */
export { type AppOptions, createApp, type ServerApp } from "./app.ts";
export type { CompiledPlan, Compute, ComputeSession, Evaluation, OpenSession, SessionPlan } from "./compute.ts";
export { createInlineCompute, type InlineComputeOptions } from "./inline-compute.ts";
export { DEFAULT_LIMITS, type ServerLimits } from "./limits.ts";
