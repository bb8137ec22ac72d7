/** What of the builder needs a file system. */
export * from "./plan-cache.ts";
