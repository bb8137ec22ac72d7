import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { runThread } from "./run-thread.ts";

runThread(parentPort as MessagePort, workerData);
