/** The server's end of one thread of the pool. */

import { Worker } from "node:worker_threads";
import { CrcnnError } from "../../errors/index.ts";
import {
  type FromThread,
  type Job,
  type JobKind,
  type Jobs,
  reviveFailure,
  type ThreadSetup,
  type ToThread,
} from "./messages.ts";

export interface ComputeThread {
  /**
   * Runs a job. There may be one at a time.
   *
   * @param transfer Memory that the thread takes over.
   * @throws What the job throws; CrcnnError WORKER_LOST when the thread ends.
   */
  run(job: Job, transfer: readonly ArrayBuffer[]): Promise<Jobs[JobKind]["gives"]>;
  /** Tells the job that runs to stop; it then fails as ABORTED, unless it is done before it notices. */
  cancel(): void;
  /** Ends a session, after the job that runs. */
  end(session: string): void;
  terminate(): Promise<void>;
}

export interface ComputeThreadOptions extends Omit<ThreadSetup, "cancelled"> {
  /** The thread has ended; `error` says why, where it did not end by {@link ComputeThread.terminate}. */
  readonly onExit: (error: unknown) => void;
  /** What the thread last said of its heap: see `ComputeCore.outgrown`. */
  readonly onOutgrown: (outgrown: boolean) => void;
}

interface RunningJob {
  resolve(value: Jobs[JobKind]["gives"]): void;
  reject(error: unknown): void;
}

export function startComputeThread({ onExit, onOutgrown, ...options }: ComputeThreadOptions): ComputeThread {
  const cancelled = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const setup: ThreadSetup = { ...options, cancelled };
  const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData: setup });
  // A pool must not keep a program alive that waits for nothing.
  worker.unref();
  let running: RunningJob | undefined;
  let jobs = 0;
  let reason: unknown;

  function settle(): RunningJob | undefined {
    const settled = running;
    running = undefined;
    worker.unref();
    return settled;
  }

  worker.on("message", (message: FromThread) => {
    onOutgrown(message.outgrown);
    if (message.kind === "done") settle()?.resolve(message.value);
    if (message.kind === "failed") {
      // The engine's own threads are not replaced, so what they leave behind is.
      if (message.failure.code === "WORKER_LOST") {
        reason = reviveFailure(message.failure);
        void worker.terminate();
      } else {
        settle()?.reject(reviveFailure(message.failure));
      }
    }
  });
  worker.on("error", (error) => {
    reason = error;
  });
  worker.on("messageerror", (error) => {
    reason = error;
    void worker.terminate();
  });
  worker.on("exit", (code) => {
    const error = reason ?? new Error(`it ended with code ${code}`);
    onExit(error);
    settle()?.reject(
      new CrcnnError(
        "WORKER_LOST",
        "the thread that worked on this died, and with it the sessions whose keys it held; open a new session, or send the layers again",
        { cause: error },
      ),
    );
  });

  const post = (message: ToThread, transfer: readonly ArrayBuffer[] = []): void =>
    worker.postMessage(message, [...transfer]);
  return {
    run(job, transfer) {
      return new Promise((resolve, reject) => {
        post({ kind: "job", number: jobs + 1, job }, transfer);
        jobs++;
        running = { resolve, reject };
        worker.ref();
      });
    },
    cancel: () => void Atomics.store(new Int32Array(cancelled), 0, jobs),
    end: (session) => post({ kind: "end", session }),
    async terminate() {
      await worker.terminate();
    },
  };
}
