/** Parameters tried out before they are used: an image through a network, encrypted and in the clear, by one process with the owner in it. */
export * from "./configuration.ts";
export * from "./elementwise-runner.ts";
export { type Comparison, compareTensors, type LayerRow, type SetReport } from "./report.ts";
export * from "./try-set.ts";
