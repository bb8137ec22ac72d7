/** Several parameter sets, one after the other here, or at once on threads. */

import { Worker } from "node:worker_threads";
import { readModel } from "../builder/index.ts";
import { CrcnnError, type ErrorCode } from "../errors/index.ts";
import type { Tensor } from "../plan/index.ts";
import { type ParameterSet, type SetReport, type TrialOptions, tryParameterSet } from "../tester/index.ts";
import type { ModelFile } from "./files.ts";

/** What a thread is given: plain data. */
export interface TrialTask {
  readonly model: ModelFile;
  readonly image: Tensor;
  readonly set: ParameterSet;
  readonly options: TrialOptions;
}

export type TrialAnswer =
  | { readonly report: SetReport }
  | { readonly failure: { readonly code: ErrorCode | undefined; readonly message: string } };

export async function runTask({ model, image, set, options }: TrialTask): Promise<SetReport> {
  return tryParameterSet(readModel(model.bytes, model), image, set, options);
}

/**
 * Runs tasks on at most so many threads; on one, in this thread. Reports come in the tasks' order.
 *
 * @throws What a task throws; the others are given up then.
 */
export async function runTrials(
  tasks: readonly TrialTask[],
  threads: number,
  onReport: (index: number, report: SetReport) => void,
): Promise<SetReport[]> {
  const reports = new Array<SetReport>(tasks.length);
  const running = new Set<Worker>();
  let next = 0;
  async function work(): Promise<void> {
    while (next < tasks.length) {
      const index = next++;
      const task = tasks[index] as TrialTask;
      const report = threads > 1 ? await runOnThread(task, running) : await runTask(task);
      reports[index] = report;
      onReport(index, report);
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(threads, tasks.length) }, work));
  } finally {
    next = tasks.length;
    await Promise.all([...running].map((worker) => worker.terminate()));
  }
  return reports;
}

/** A thread for each set: what it has allocated goes with it. */
function runOnThread(task: TrialTask, running: Set<Worker>): Promise<SetReport> {
  const worker = new Worker(new URL("./set-worker.js", import.meta.url), { workerData: task });
  running.add(worker);
  return new Promise<SetReport>((resolve, reject) => {
    worker.once("message", (answer: TrialAnswer) => {
      if ("report" in answer) resolve(answer.report);
      else if (answer.failure.code) reject(new CrcnnError(answer.failure.code, answer.failure.message));
      else reject(new Error(answer.failure.message));
    });
    worker.once("error", reject);
    worker.once("exit", (code) => {
      running.delete(worker);
      // Without effect where there was an answer.
      reject(
        new CrcnnError("WORKER_LOST", `a thread ended with code ${code} before its set was done; run with --threads 1`),
      );
    });
  });
}
