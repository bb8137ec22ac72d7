/** What client and server both know: paths, messages, failures, sizes. Types and pure functions, no library. */
export * from "./base64.ts";
export * from "./bulk-json.ts";
export * from "./ciphertexts.ts";
export * from "./compute.ts";
export * from "./failures.ts";
export * from "./messages.ts";
export * from "./nested.ts";
export * from "./paths.ts";
export * from "./sizes.ts";
export * from "./stream.ts";
