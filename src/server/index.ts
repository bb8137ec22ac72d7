/** The server: a Hono app on fetch types alone. It holds models, plans and public keys, and never a secret one. */
export { type AppOptions, createApp, type ServerApp } from "./app.ts";
export { DEFAULT_LIMITS, type ServerLimits } from "./limits.ts";
