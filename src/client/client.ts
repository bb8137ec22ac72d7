/** The client of one server. */

import { CrcnnError } from "../errors/index.ts";
import type { RandomSource } from "../math/index.ts";
import { createOwner } from "../owner/index.ts";
import { deserializeManifest } from "../plan/index.ts";
import {
  MAX_MANIFEST_BYTES,
  MAX_REQUEST_BYTES,
  type ModelSummary,
  type PlanRequest,
  parseModelList,
  parsePlanRequest,
  parseSessionCreated,
  paths,
  planHash,
} from "../protocol/index.ts";
import { freeEvaluationKeys, serializeEvaluationKeys } from "../rlwe/index.ts";
import { type ClientProgress, type ClientSession, checkManifest, createSession } from "./session.ts";
import { createTransport, type Fetch } from "./transport.ts";

export interface ClientOptions {
  /** The server's address, as `http://127.0.0.1:8080`. */
  readonly server: string;
  /** The runtime's own by default. */
  readonly fetch?: Fetch | undefined;
  readonly onProgress?: ((progress: ClientProgress) => void) | undefined;
  /** Cancels whatever runs. */
  readonly signal?: AbortSignal | undefined;
  /** The operating system's generator by default; another one is for tests alone. */
  readonly random?: RandomSource | undefined;
}

export interface Client {
  models(): Promise<readonly ModelSummary[]>;
  /**
   * Has a model compiled for inputs of one shape, makes a secret key and the evaluation keys that the plan wants, and sends the latter.
   *
   * @throws CrcnnError SERVER_UNREACHABLE, SERVER_REFUSED (no such model, a shape that it does not take, …), INVALID_MESSAGE when the
   * server's manifest is malformed or for something else, INSECURE_PARAMETERS when it is not secure, ABORTED.
   */
  open(model: string, request: PlanRequest): Promise<ClientSession>;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Values that are no parameters at all are arguments of a wrong range below; here they are the server's mistake. */
function blameManifest(error: unknown): never {
  if (!(error instanceof RangeError)) throw error;
  throw new CrcnnError("INVALID_MESSAGE", `the plan's manifest is malformed: ${error.message}`, { cause: error });
}

/** @throws TypeError when `server` is no http or https address. */
export function createClient({ server, fetch: send, onProgress = () => {}, signal, random }: ClientOptions): Client {
  const transport = createTransport(server, send ?? ((request) => fetch(request)));
  return {
    async models() {
      const { bytes } = await transport({ method: "GET", path: paths.models(), limit: MAX_MANIFEST_BYTES, signal });
      return parseModelList(text(bytes)).models;
    },
    async open(model, request) {
      const started = performance.now();
      const body = JSON.stringify(request) ?? "";
      parsePlanRequest(body);
      onProgress({ step: "plan", done: 0, total: 1 });
      const answer = await transport({
        method: "POST",
        path: paths.plan(model),
        body,
        limit: MAX_MANIFEST_BYTES,
        signal,
      });
      const manifestText = text(answer.bytes);
      const manifest = deserializeManifest(manifestText);
      checkManifest(manifest, request);
      onProgress({ step: "plan", done: 1, total: 1 });

      const planned = performance.now();
      const reportKeys = (progress: { done: number; total: number }): void => onProgress({ step: "keys", ...progress });
      const owner = await createOwner(manifest, { onProgress: reportKeys, signal, random }).catch(blameManifest);
      try {
        const keys = serializeEvaluationKeys(owner.context, owner.evaluationKeys);
        const generated = performance.now();
        onProgress({ step: "upload", done: 0, total: 1 });
        const created = await transport({
          method: "POST",
          path: paths.sessions(model, planHash(manifestText)),
          body: keys,
          limit: MAX_REQUEST_BYTES,
          signal,
        });
        const { session: id } = parseSessionCreated(text(created.bytes));
        // They are the server's from now on; here they would only take memory.
        freeEvaluationKeys(owner.evaluationKeys);
        onProgress({ step: "upload", done: 1, total: 1 });
        const setup = {
          bytes: { up: body.length + keys.length, down: answer.bytes.length + created.bytes.length },
          milliseconds: {
            plan: planned - started,
            keys: generated - planned,
            upload: performance.now() - generated,
          },
        };
        return createSession({ id, owner, manifest, setup, transport, onProgress, signal });
      } catch (error) {
        owner.destroy();
        throw error;
      }
    },
  };
}
