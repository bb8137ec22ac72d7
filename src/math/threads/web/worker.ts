import { runWorker } from "../worker.ts";

addEventListener("message", ({ data }) => runWorker(data, () => postMessage("ready")), { once: true });
addEventListener("messageerror", () => {
  throw new Error("shared memory did not reach it");
});
