/** One model, one set of keys, any number of images. */

import { deserializeCiphertexts, serializeCiphertexts } from "../ckks/index.ts";
import { CrcnnError, throwIfAborted } from "../errors/index.ts";
import { ownerLayer } from "../layers/index.ts";
import type { KeyOwner } from "../owner/index.ts";
import {
  formatShape,
  type OwnerLayer,
  type PlanManifest,
  type SegmentManifest,
  type Shape,
  sameShape,
  sizeOf,
  type Tensor,
} from "../plan/index.ts";
import { maximumCiphertextBytes, type PlanRequest, paths } from "../protocol/index.ts";
import { freeCiphertext } from "../rlwe/index.ts";
import { addRoundTrip, stopwatch } from "./stopwatch.ts";
import type { Transport } from "./transport.ts";

/** In the order in which they happen; the last three for each image. */
export type ClientStep = "plan" | "keys" | "upload" | "encrypt" | "evaluate" | "decrypt";

export interface ClientProgress {
  readonly step: ClientStep;
  readonly done: number;
  readonly total: number;
}

/** Bytes of bodies, as seen from the client. */
export interface Traffic {
  readonly up: number;
  readonly down: number;
}

/** What a session took before its first image. */
export interface SessionSetup {
  readonly bytes: Traffic;
  readonly milliseconds: { readonly plan: number; readonly keys: number; readonly upload: number };
}

export interface Classification {
  readonly logits: Tensor;
  readonly bytes: Traffic;
  /** `evaluate` is the server's own figure for the evaluation, `transfer` the rest of the round trips. Sums over re-encryptions. */
  readonly milliseconds: {
    readonly encrypt: number;
    readonly transfer: number;
    readonly evaluate: number;
    readonly decrypt: number;
  };
}

export interface ClientSession {
  readonly manifest: PlanManifest;
  readonly setup: SessionSetup;
  /**
   * Encrypts a tensor, has the network evaluated on it, decrypts the result. At each re-encryption of the plan the intermediate result
   * is decrypted, goes through the layers that are the client's, and is encrypted afresh; if one is lost the rounds go on with zeros, so that the server cannot tell.
   *
   * @throws CrcnnError SHAPE_MISMATCH, PRECISION_LOST, SERVER_REFUSED, SERVER_UNREACHABLE, INVALID_MESSAGE, ABORTED; RangeError for a
   * value that is not finite. Where the server has lost the session, the `failure.code` of the `ServerRefusedError` is WORKER_LOST for
   * the request that ran, UNKNOWN_SESSION for those after it: another session, with keys of its own, can be opened at once.
   */
  classify(input: Tensor): Promise<Classification>;
  /** Ends the session on the server, where that can be reached, and destroys the secret key. */
  close(): Promise<void>;
}

export interface SessionContext {
  readonly id: string;
  readonly owner: KeyOwner;
  readonly manifest: PlanManifest;
  readonly setup: SessionSetup;
  readonly transport: Transport;
  readonly onProgress: (progress: ClientProgress) => void;
  readonly signal: AbortSignal | undefined;
}

/** How long the end of a session may take, in milliseconds. */
const CLOSE_TIMEOUT = 5000;

export function createSession({
  id,
  owner,
  manifest,
  setup,
  transport,
  onProgress,
  signal,
}: SessionContext): ClientSession {
  const { segments, parameters } = manifest;
  const total = segments.length;
  let closed = false;

  function encrypt(segment: SegmentManifest, input: Tensor): Uint8Array<ArrayBuffer> {
    const ciphertexts = owner.encryptInput(segment, input);
    const bytes = serializeCiphertexts(owner.context, ciphertexts);
    ciphertexts.forEach(freeCiphertext);
    return bytes;
  }

  function decrypt(segment: SegmentManifest, bytes: Uint8Array): Tensor {
    const ciphertexts = deserializeCiphertexts(owner.context, bytes, segment.outputCiphertexts);
    try {
      return owner.decryptOutput(segment, ciphertexts);
    } finally {
      ciphertexts.forEach(freeCiphertext);
    }
  }

  const resultLimit = ({ outputCiphertexts }: SegmentManifest): number =>
    maximumCiphertextBytes(parameters, outputCiphertexts, parameters.dataPrimes.length - 1);

  return {
    manifest,
    setup,
    async classify(input) {
      if (closed) throw new TypeError("the session is closed; open another one");
      throwIfAborted(signal);
      checkFinite(input);
      const bytes = { up: 0, down: 0 };
      const milliseconds = { encrypt: 0, transfer: 0, evaluate: 0, decrypt: 0 };
      let lost: CrcnnError | undefined;
      /** In the middle of the network, what depends on decrypted values must not show: zeros go on in place of them. */
      const orZeros = <T>(attempt: () => T, withZeros: () => T): T => {
        try {
          return attempt();
        } catch (error) {
          if (!(error instanceof CrcnnError) || !DEPEND_ON_VALUES.includes(error.code)) throw error;
          lost ??= error;
          return withZeros();
        }
      };
      let values = input;
      for (const [n, segment] of segments.entries()) {
        const first = n === 0;
        const lap = stopwatch();
        onProgress({ step: "encrypt", done: n, total });
        const attempt = (): Uint8Array<ArrayBuffer> => encrypt(segment, values);
        const body = first ? attempt() : orZeros(attempt, () => encrypt(segment, zeros(segment.input)));
        milliseconds.encrypt += lap();

        onProgress({ step: "evaluate", done: n, total });
        const answer = await transport({
          method: "POST",
          path: paths.segment(id, n),
          body,
          limit: resultLimit(segment),
          signal,
        });
        addRoundTrip({ milliseconds, bytes }, body.length, answer, lap());

        onProgress({ step: "decrypt", done: n, total });
        const read = (): Tensor => decrypt(segment, answer.bytes);
        const next = segments[n + 1];
        values = next ? orZeros(read, () => zeros(next.input)) : read();
        milliseconds.decrypt += lap();
      }
      if (lost) throw lost;
      onProgress({ step: "decrypt", done: total, total });
      return { logits: values, bytes, milliseconds };
    },
    async close() {
      if (closed) return;
      closed = true;
      owner.destroy();
      // Where the server is out of reach, the session expires there by itself.
      const timeout = AbortSignal.timeout(CLOSE_TIMEOUT);
      await transport({ method: "DELETE", path: paths.session(id), limit: 0, signal: timeout }).catch(() => {});
    },
  };
}

/** Errors that tell something of the values which are encrypted or decrypted. */
const DEPEND_ON_VALUES: readonly string[] = ["PRECISION_LOST", "SCALE_OVERFLOW"];

function zeros({ shape }: { readonly shape: Shape }): Tensor {
  return { shape, data: new Float64Array(sizeOf(shape)) };
}

function checkFinite({ data }: Tensor): void {
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw new RangeError(`input must hold finite numbers, element ${at} is ${data[at]}`);
}

function shapeAfter(data: OwnerLayer, shape: Shape): Shape {
  try {
    return ownerLayer(data).outputShape(shape);
  } catch (error) {
    if (!(error instanceof CrcnnError)) throw error;
    throw new CrcnnError("INVALID_MESSAGE", `the server's plan cannot be followed: ${error.message}`, { cause: error });
  }
}

/**
 * Checks that a manifest is for what was asked, that its segments fit each other, and that the layers which this client is to apply are known
 * to it and fit in between.
 *
 * @throws CrcnnError INVALID_MESSAGE
 */
export function checkManifest({ segments }: PlanManifest, { inputShape, activations }: PlanRequest): void {
  let shape = inputShape;
  for (const { input, output, ownerLayers } of segments) {
    if (!sameShape(input.shape, shape)) {
      throw new CrcnnError(
        "INVALID_MESSAGE",
        `the server's plan takes ${formatShape(input.shape)} where ${formatShape(shape)} comes in; it is not the one that was asked for`,
      );
    }
    shape = output.shape;
    if (ownerLayers.length > 0 && activations !== "client") {
      throw new CrcnnError(
        "INVALID_MESSAGE",
        `the server's plan has this client apply ${ownerLayers.map(({ kind }) => kind).join(", ")}, which it did not offer; it is not the one that ` +
          "was asked for",
      );
    }
    for (const data of ownerLayers) shape = shapeAfter(data, shape);
  }
}
