/** Parameters tried out before they are used: an image through a network, encrypted and in the clear, by one process with the owner in it. */
export * from "./elementwise-runner.ts";
