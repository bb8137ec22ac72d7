/** What a thread of the pool does: one job after the other, on an engine of its own. */

import type { MessagePort } from "node:worker_threads";
import { readModel, type SourceModel } from "../../builder/index.ts";
import { createPlanCache } from "../../builder/node/index.ts";
import type { Cancellation } from "../../errors/index.ts";
import { createThreadedEngine } from "../../math/index.ts";
import { type ComputeCore, createComputeCore } from "../compute-core.ts";
import type { ModelFile } from "./load-models.ts";
import {
  describeFailure,
  type FromThread,
  type Job,
  type JobKind,
  type Jobs,
  type ThreadSetup,
  type ToThread,
} from "./messages.ts";
import { shareArrays } from "./share-arrays.ts";

export function runThread(port: MessagePort, { threads, limits, planCache, cancelled }: ThreadSetup): void {
  const cancelledJob = new Int32Array(cancelled);
  // Messages wait in the order of the promise's reactions until the engine's own threads are there.
  const starting = createThreadedEngine({ threads }).then((engine) =>
    createComputeCore(engine, limits, planCache && createPlanCache(planCache).compile),
  );
  const post = (message: FromThread, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);

  function answer(core: ComputeCore, message: ToThread): void {
    if (message.kind === "end") {
      core.end(message.session);
      post({ kind: "ended", outgrown: core.outgrown() });
      return;
    }
    // Asked from within a computation that never returns to the event loop, so the answer has to be in shared memory.
    const signal: Cancellation = {
      get aborted() {
        return Atomics.load(cancelledJob, 0) === message.number;
      },
    };
    try {
      const value = perform(core, message.job, signal);
      post({ kind: "done", value, outgrown: core.outgrown() }, value && "bytes" in value ? [value.bytes.buffer] : []);
    } catch (error) {
      post({ kind: "failed", failure: describeFailure(error), outgrown: core.outgrown() });
    }
  }

  port.on("message", async (message: ToThread) => answer(await starting, message));
}

function perform(core: ComputeCore, job: Job, signal: Cancellation): Jobs[JobKind]["gives"] {
  switch (job.kind) {
    case "compile":
      return shareArrays(core.compile(readServed(job.model), job.request, signal));
    case "open":
      core.open(job.session, job.plan, job.keys);
      return undefined;
    case "evaluate":
      return core.evaluate(job.session, job.segment, job.bytes, signal);
    case "layers": {
      const nets = job.nets.map((model) => ({ summary: model.summary, load: () => readServed(model) }));
      return core.computeLayers(nets, job.body, signal);
    }
  }
}

function readServed({ bytes, file, architecture }: ModelFile): SourceModel {
  // A copy: not everything that reads bytes takes shared ones.
  return readModel(bytes.slice(), { name: file, architecture });
}
