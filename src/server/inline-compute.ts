/** Compute at once, on the calling thread: for runtimes without threads, and for tests. While it computes, no request is answered. */

import type { SourceModel } from "../builder/index.ts";
import { throwIfAborted } from "../errors/index.ts";
import { createEngine } from "../math/index.ts";
import type { Compute } from "./compute.ts";
import { type ComputeCore, createComputeCore } from "./compute-core.ts";
import { resolveLimits, type ServerLimits } from "./limits.ts";
import { requireModel, summarize } from "./models.ts";

export interface InlineComputeOptions {
  /** By the name that clients ask for. */
  readonly models: ReadonlyMap<string, SourceModel>;
  /** Other names of models, under which requests for layers may ask for them. */
  readonly aliases?: Readonly<Record<string, readonly string[]>> | undefined;
  readonly limits?: Partial<ServerLimits> | undefined;
}

/** @throws RangeError for a limit that is no positive integer. */
export function createInlineCompute({ models, aliases = {}, limits = {} }: InlineComputeOptions): Compute {
  const resolved = resolveLimits(limits);
  const createCore = (): ComputeCore => createComputeCore(createEngine(), resolved);
  let core = createCore();
  const nets = Array.from(models, ([name, model]) => ({
    summary: summarize(name, model, aliases[name]),
    load: () => model,
  }));

  return {
    models: nets.map(({ summary }) => summary),
    async compile(name, request, signal) {
      return core.compile(requireModel(models, name), request, signal);
    },
    async openSession({ plan, keys, signal }) {
      throwIfAborted(signal);
      const session = crypto.randomUUID();
      core.open(session, plan, keys);
      return {
        evaluate: async (segment, bytes, cancellation) => core.evaluate(session, segment, bytes, cancellation),
        end() {
          core.end(session);
          if (core.outgrown()) core = createCore();
        },
      };
    },
    async computeLayers(body, signal) {
      throwIfAborted(signal);
      return core.computeLayers(nets, body, signal);
    },
    // Between two calls nothing runs.
    close: async () => {},
  };
}
