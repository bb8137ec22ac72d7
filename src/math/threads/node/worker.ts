import { parentPort, workerData } from "node:worker_threads";
import { runWorker } from "../worker.ts";

runWorker(workerData, () => parentPort?.postMessage("ready"));
