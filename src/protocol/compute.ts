/**
 * One request that carries everything: layers of a served model on ciphertexts of fractional BFV, under the names that PyCrCNN's clients and
 * servers use. Stateless, with JSON alone; sessions (`paths.ts`) are the compact way.
 */

import { CrcnnError } from "../errors/index.ts";
import type { ModelSummary } from "./messages.ts";
import type { NestedStrings } from "./nested.ts";

/** The body of a request. */
export interface ComputeRequest {
  /** As `chooseSeedParameters` of `crcnn/bfv` takes them; both sides derive the same primes. Other names are not looked at. */
  readonly encryption_parameters: {
    readonly m: number;
    readonly p: number;
    readonly sec: number;
    readonly base: number;
  };
  /** A served model's name or alias, in any case: see {@link findNet}. */
  readonly net: string;
  /** Numbers of the layers to run (0-based), ascending without a gap. */
  readonly layers: readonly number[];
  /** The input tensor, one ciphertext an element: base64 of `serializeBfvCiphertexts` with one ciphertext each. */
  readonly data: NestedStrings;
  /** Base64 of `serializePublicKey`. It is checked; no layer needs it. */
  readonly public_key?: string | undefined;
  /** Base64 of `serializeEvaluationKeys`. Parameters without a special prime have none. */
  readonly evaluation_keys?: string | undefined;
}

/** The body of the answer: the layers' output, in the form of the input. */
export interface ComputeAnswer {
  readonly data: NestedStrings;
}

/** Most axes of a tensor in {@link ComputeRequest.data}, a batch axis not among them. */
export const MAX_COMPUTE_AXES = 4;
/** Most layers in one request. */
export const MAX_COMPUTE_LAYERS = 1024;
/** Most ciphertexts in a tensor. */
export const MAX_COMPUTE_ELEMENTS: number = 2 ** 14;
/** Most components of a ciphertext in an answer: products that are not relinearized have more than two. */
export const MAX_COMPUTE_COMPONENTS = 9;
/** Most bytes of a request's body and of an answer's, unless the server has other limits. */
export const MAX_COMPUTE_BYTES: number = 2 ** 27;
/** Most values in their JSON: an element comes with three arrays of its own where all axes but the first have the length 1. */
export const MAX_COMPUTE_VALUES: number = 8 * MAX_COMPUTE_ELEMENTS;

/**
 * Which model a client means: one with this name or alias, else the only one whose name or alias differs by nothing but capital letters.
 *
 * @throws CrcnnError UNKNOWN_MODEL
 */
export function findNet(models: readonly ModelSummary[], net: string): ModelSummary {
  const named = (normalize: (name: string) => string): ModelSummary[] =>
    models.filter(({ name, aliases = [] }) => [name, ...aliases].some((each) => normalize(each) === normalize(net)));
  const exact = named((name) => name);
  const found = exact.length > 0 ? exact : named((name) => name.toLowerCase());
  if (found.length === 1) return found[0]!;
  const names = models.flatMap(({ name, aliases = [] }) => [name, ...aliases]).join(", ");
  throw new CrcnnError(
    "UNKNOWN_MODEL",
    `net ${JSON.stringify(net.slice(0, 100))} is ${found.length === 0 ? "not served" : "more than one model"}; there are: ${names}`,
  );
}
