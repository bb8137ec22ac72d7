/** The JSON messages, and the checks that each side makes of the other's. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { CrcnnError } from "../errors/index.ts";
import { formatShape, type Shape, sizeOf } from "../plan/index.ts";

/** What a plan is compiled for. Nothing in it depends on one image: see `inputRange`. */
export interface PlanRequest {
  /** Shape of one input without a batch axis. */
  readonly inputShape: Shape;
  /** "ckks" is what the server evaluates one input with; "bfv", which runs batches, is refused. */
  readonly scheme?: "ckks" | undefined;
  /** Wanted error of an output relative to the largest one, in (0, 1). The server's default is 1e-3. */
  readonly precision?: number | undefined;
  /**
   * Smallest and largest value that an input may have; [0, 1] by default. The server learns it, so it should describe the kind of
   * data (a normalisation, powers of two), not one image.
   */
  readonly inputRange?: readonly [low: number, high: number] | undefined;
  /** Layers of the model (0-based) before which the client decrypts and encrypts afresh. */
  readonly rencryptPositions?: readonly number[] | undefined;
}

export interface ModelSummary {
  readonly name: string;
  /** Other names under which `findNet` knows it. */
  readonly aliases?: readonly string[];
  /** PyTorch's class names, in order. */
  readonly layers: readonly string[];
}

export interface ModelList {
  readonly models: readonly ModelSummary[];
}

export interface SessionCreated {
  readonly session: string;
}

/** Most values in one input, most layers in a list of positions: a plan's compilation takes time that grows with both. */
export const MAX_INPUT_VALUES: number = 2 ** 18;
const MAX_AXES = 4;
const MAX_POSITIONS = 256;

/** The name that a manifest has in requests: SHA-256 of its text, in hexadecimal. Client and server compute it each on its own. */
export function planHash(manifest: string): string {
  return bytesToHex(sha256(utf8ToBytes(manifest)));
}

/**
 * Reads a plan request.
 *
 * @throws CrcnnError INVALID_MESSAGE naming the field and what it takes; LIMIT_EXCEEDED above {@link MAX_INPUT_VALUES} values.
 */
export function parsePlanRequest(text: string): PlanRequest {
  const fields = parseObject(text, "the plan request");
  const known = ["inputShape", "scheme", "precision", "inputRange", "rencryptPositions"];
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw invalid(`the field ${JSON.stringify(unknown)} is unknown; there are ${known.join(", ")}`);
  const { inputShape, scheme, precision, inputRange, rencryptPositions } = fields;
  if (scheme === "bfv") {
    throw invalid(
      'scheme "bfv" runs batches, a slot an image, which the server does not serve under any scheme; ask for "ckks", or run batches beside the ' +
        "key's owner: crcnn run --scheme bfv",
    );
  }
  if (scheme !== undefined && scheme !== "ckks") throw invalid('scheme must be "ckks"');
  if (!isIntegers(inputShape, 1, MAX_AXES) || inputShape.some((size) => size < 1)) {
    throw invalid(`inputShape must be a list of 1 to ${MAX_AXES} positive integers, as [1, 28, 28]`);
  }
  if (sizeOf(inputShape) > MAX_INPUT_VALUES) {
    throw new CrcnnError(
      "LIMIT_EXCEEDED",
      `an input of ${formatShape(inputShape)} has more than ${MAX_INPUT_VALUES} values; scale the images down`,
    );
  }
  if (precision !== undefined && !(typeof precision === "number" && precision > 0 && precision < 1)) {
    throw invalid("precision must be a number between 0 and 1, as 0.001");
  }
  if (inputRange !== undefined && !isRange(inputRange)) {
    throw invalid("inputRange must be two finite numbers, the smaller one first, as [0, 1]");
  }
  if (rencryptPositions !== undefined && !isIntegers(rencryptPositions, 0, MAX_POSITIONS)) {
    throw invalid(`rencryptPositions must be a list of at most ${MAX_POSITIONS} layer numbers`);
  }
  return { inputShape, precision, inputRange, rencryptPositions };
}

/** @throws CrcnnError INVALID_MESSAGE for anything that is no {@link ModelList}. */
export function parseModelList(text: string): ModelList {
  const { models } = parseObject(text, "the list of models");
  const isSummary = (value: unknown): boolean => {
    const { name, aliases = [], layers } = (value ?? {}) as Partial<Record<keyof ModelSummary, unknown>>;
    return typeof name === "string" && isStrings(aliases) && isStrings(layers);
  };
  if (!Array.isArray(models) || !models.every(isSummary)) throw invalid("the list of models is malformed");
  return { models: models as ModelSummary[] };
}

/** @throws CrcnnError INVALID_MESSAGE for anything that is no {@link SessionCreated}. */
export function parseSessionCreated(text: string): SessionCreated {
  const { session } = parseObject(text, "the answer to a new session");
  if (typeof session !== "string" || session === "") throw invalid("the server named no session");
  return { session };
}

function invalid(message: string): CrcnnError {
  return new CrcnnError("INVALID_MESSAGE", message);
}

function parseObject(text: string, what: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw invalid(`${what} is not JSON`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw invalid(`${what} is not a JSON object`);
  return parsed as Record<string, unknown>;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function isIntegers(value: unknown, least: number, most: number): value is number[] {
  return Array.isArray(value) && value.length >= least && value.length <= most && value.every(Number.isSafeInteger);
}

function isRange(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every(Number.isFinite) && value[0] < value[1];
}
