/** Requests for layers: few at a time, since bodies and answers are large. */

import { CONTENT_TYPES, formatTiming } from "../protocol/index.ts";
import { readBody } from "./body.ts";
import type { Compute } from "./compute.ts";
import { ServerError } from "./failure.ts";
import type { ServerLimits } from "./limits.ts";
import { startTimer, type Timer } from "./timer.ts";

/** When there may be room again, in seconds. */
const RETRY_AFTER = 2;
/** Bytes of an answer that are handed on at a time. */
const CHUNK_BYTES = 2 ** 20;

/**
 * @returns What answers such a request. Its promise rejects with what `Compute.computeLayers` throws, CrcnnError LIMIT_EXCEEDED or
 * INVALID_MESSAGE for the body, ServerError BUSY.
 */
export function createComputeRoute(
  compute: Compute,
  { computeBytes, computeRequests, idleMilliseconds }: ServerLimits,
): (request: Request) => Promise<Response> {
  let running = 0;

  return async (request) => {
    if (running >= computeRequests) {
      throw new ServerError(
        "BUSY",
        `the server works on ${computeRequests} such requests, as many as it may`,
        RETRY_AFTER,
      );
    }
    running++;
    const leave = (): void => void running--;
    try {
      const body = await readBody(request, computeBytes, "the body", "ask for layers on a smaller tensor");
      const { bytes, milliseconds } = await compute.computeLayers(body, request.signal);
      return new Response(streamOf(bytes, idleMilliseconds, leave), {
        headers: {
          "content-type": CONTENT_TYPES.json,
          "content-length": String(bytes.length),
          "server-timing": formatTiming(milliseconds),
        },
      });
    } catch (error) {
      leave();
      throw error;
    }
  };
}

/**
 * Bytes as they are asked for. Until the last are taken they are in memory.
 *
 * @param patience Milliseconds that whoever reads may let pass without asking for more.
 * @param onEnd Called once: when all was taken, or nobody will.
 */
function streamOf(bytes: Uint8Array, patience: number, onEnd: () => void): ReadableStream<Uint8Array> {
  let at = 0;
  let timer: Timer | undefined;
  const end = (): void => {
    clearTimeout(timer);
    onEnd();
  };
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        clearTimeout(timer);
        controller.enqueue(bytes.subarray(at, at + CHUNK_BYTES));
        at += CHUNK_BYTES;
        if (at >= bytes.length) {
          controller.close();
          end();
          return;
        }
        timer = startTimer(patience, () => {
          controller.error(new Error("the answer was not read"));
          onEnd();
        });
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  );
}
