/** A thread that tries one parameter set. */

import { parentPort, workerData } from "node:worker_threads";
import { CrcnnError } from "../errors/index.ts";
import { runTask, type TrialAnswer, type TrialTask } from "./set-trials.ts";

async function answer(): Promise<TrialAnswer> {
  try {
    return { report: await runTask(workerData as TrialTask) };
  } catch (error) {
    const code = error instanceof CrcnnError ? error.code : undefined;
    return { failure: { code, message: error instanceof Error ? error.message : String(error) } };
  }
}

parentPort?.postMessage(await answer());
