/** What client and server both know: paths, messages, failures, sizes. Types and pure functions, no library. */
export * from "./failures.ts";
export * from "./messages.ts";
export * from "./paths.ts";
export * from "./sizes.ts";
export * from "./stream.ts";
