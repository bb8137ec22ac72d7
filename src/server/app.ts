/** The app: routes onto the registry and the sessions. */

import { Hono } from "hono";
import { CrcnnError } from "../errors/index.ts";
import {
  CONTENT_TYPES,
  evaluationKeyBytes,
  formatTiming,
  MAX_REQUEST_BYTES,
  type ModelList,
  maximumCiphertextBytes,
  parsePlanRequest,
  ROUTES,
  type SessionCreated,
} from "../protocol/index.ts";
import { readBody, readText } from "./body.ts";
import type { Compute } from "./compute.ts";
import { createComputeRoute } from "./compute-route.ts";
import { segmentOf } from "./evaluate.ts";
import { errorResponse, failureResponse } from "./failure.ts";
import { resolveLimits, type ServerLimits } from "./limits.ts";
import { createRegistry } from "./registry.ts";
import { createSessions } from "./sessions.ts";

export interface AppOptions {
  /** Where models are compiled and ciphertexts evaluated: `createInlineCompute`, or on Node a pool of threads. Closed with the app. */
  readonly compute: Compute;
  readonly limits?: Partial<ServerLimits> | undefined;
  /** Hears of errors that are the server's own fault: clients are told nothing about them. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

export interface ServerApp {
  /** Answers a request. Never rejects. */
  fetch(request: Request): Promise<Response>;
  /** Ends all sessions and stops computing. */
  close(): Promise<void>;
}

/**
 * Makes the app; paths and messages are described in `crcnn/protocol`.
 *
 * A session's identifier is a random UUID and the only thing that entitles to it, so the app belongs behind TLS wherever the
 * network is not trusted. What leaks without it is the use of a session, never an image: those are encrypted.
 *
 * @throws RangeError for a limit that is no positive integer.
 */
export function createApp({ compute, limits: given = {}, onError = () => {} }: AppOptions): ServerApp {
  const limits = resolveLimits(given);
  const sessions = createSessions(limits);
  const registry = createRegistry(compute, limits.plans, sessions.uses);
  const computeRoute = createComputeRoute(compute, limits);
  const app = new Hono();

  app.get(ROUTES.health, (c) => c.text("ok"));

  app.get(ROUTES.models, (c) => {
    const list: ModelList = { models: compute.models };
    return c.json(list);
  });

  app.post(ROUTES.plan, async (c) => {
    const request = parsePlanRequest(await readText(c.req.raw, MAX_REQUEST_BYTES, "a plan request"));
    const { text } = await registry.plan(c.req.param("name"), request, c.req.raw.signal);
    return c.body(text, 200, { "content-type": CONTENT_TYPES.json });
  });

  app.post(ROUTES.sessions, async (c) => {
    const plan = registry.find(c.req.query("model") ?? "", c.req.query("plan") ?? "");
    const bytes = evaluationKeyBytes(plan.network.manifest);
    if (bytes > limits.keyBytes) {
      throw new CrcnnError(
        "LIMIT_EXCEEDED",
        `the plan's evaluation keys have ${bytes} bytes, this server takes ${limits.keyBytes}; its operator can raise limits.keyBytes`,
      );
    }
    const session = await sessions.open(plan, async (onLost) => {
      const keys = await readBody(c.req.raw, bytes, "the message of evaluation keys");
      return compute.openSession({ plan, keys, signal: c.req.raw.signal, onLost });
    });
    const created: SessionCreated = { session };
    return c.json(created, 201);
  });

  app.post(ROUTES.segment, async (c) => {
    const id = c.req.param("id");
    const number = c.req.param("segment");
    const segment = /^\d{1,4}$/.test(number) ? Number(number) : -1;
    const { plan } = sessions.get(id);
    const { input, inputLevel } = segmentOf(plan.network.manifest, segment);
    const limit = maximumCiphertextBytes(plan.network.manifest.parameters, input.ciphertexts, inputLevel);
    const body = await readBody(c.req.raw, limit, "the message of ciphertexts");
    // Asked for again, because the session may have ended while its message came in.
    const result = await sessions.use(id, (session) => session.evaluate(segment, body, c.req.raw.signal));
    return c.body(result.bytes, 200, {
      "content-type": CONTENT_TYPES.binary,
      "server-timing": formatTiming(result.milliseconds),
    });
  });

  app.delete(ROUTES.session, (c) => {
    sessions.end(c.req.param("id"));
    return c.body(null, 204);
  });

  app.post(ROUTES.compute, (c) => computeRoute(c.req.raw));

  app.notFound((c) => failureResponse("NOT_FOUND", `there is nothing at ${c.req.method} ${c.req.path}`));
  app.onError((error) => errorResponse(error, onError));

  return {
    fetch: async (request) => app.fetch(request),
    async close() {
      sessions.endAll();
      await compute.close();
    },
  };
}
