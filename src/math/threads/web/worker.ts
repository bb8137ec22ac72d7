import { runWorker } from "../worker.ts";

addEventListener("message", ({ data }) => runWorker(data, () => postMessage("ready")), { once: true });
