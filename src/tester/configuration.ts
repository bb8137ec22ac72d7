/** The parameter tester's configuration: PyCrCNN's file as it stands, with sets of CKKS and automatic ones beside its own. */

import { CrcnnError } from "../errors/index.ts";
import { MAX_THREADS } from "../math/index.ts";
import { oneLine } from "../protocol/index.ts";

/** Parameters to try: PyCrCNN's own, or a precision for which they are chosen. */
export type ParameterSet = SeedSet | ChosenSet;

interface CommonSet {
  /** As the file has it, for the report. */
  readonly source: Readonly<Record<string, unknown>>;
  /** Layers (0-based) before which the key's owner decrypts and encrypts afresh. */
  readonly rencryptPositions: readonly number[];
}

export interface SeedSet extends CommonSet {
  readonly scheme: "bfv";
  /** For `chooseSeedParameters`, which checks the values. */
  readonly encryptionParameters: {
    readonly m: number;
    readonly p: number;
    readonly sec: number;
    readonly base: number;
  };
}

export interface ChosenSet extends CommonSet {
  readonly scheme: "ckks";
  /** "throughput" has one ciphertext a tensor element. */
  readonly objective: "latency" | "throughput";
  readonly precision: number | undefined;
  readonly security: 128 | 192 | 256 | undefined;
}

export interface TesterConfiguration {
  /** At least one. */
  readonly sets: readonly ParameterSet[];
  /** Whether there is a row for each layer. */
  readonly debug: boolean;
  readonly layers: readonly number[] | undefined;
  /** A file, or the name of a data set. */
  readonly dataset: string | undefined;
  readonly modelPath: string | undefined;
  readonly maxThreads: number | undefined;
}

const FIELDS = ["encryption_parameters", "debug", "layers", "dataset", "model_path", "max_threads"];
const SEED_FIELDS = ["m", "p", "sec", "base"] as const;
const SEED_SET_FIELDS = ["scheme", ...SEED_FIELDS, "rencrypt_positions"];
const CHOSEN_SET_FIELDS = ["scheme", "precision", "sec", "objective", "rencrypt_positions"];
const MAX_SETS = 256;
const MAX_LAYERS = 4096;

/**
 * Reads a configuration. Values that some parameters cannot have are left to the set itself: one that cannot work does not stop the others.
 *
 * @param name The file's name, for messages.
 * @throws CrcnnError INVALID_FILE of one line that names the field.
 */
export function parseTesterConfiguration(text: string, name: string): TesterConfiguration {
  const fail = (field: string, problem: string): CrcnnError =>
    new CrcnnError("INVALID_FILE", `${name}: ${field} ${problem}`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new CrcnnError("INVALID_FILE", `${name}: it is not JSON: ${oneLine((error as Error).message)}`);
  }
  if (!isObject(parsed)) throw new CrcnnError("INVALID_FILE", `${name}: it is not a JSON object`);
  refuseUnknown(parsed, FIELDS, "", fail);

  const { encryption_parameters: given, debug = "n", layers, dataset, model_path: modelPath } = parsed;
  const { max_threads: maxThreads } = parsed;
  if (given === undefined) throw fail("encryption_parameters", "is missing: a list of parameter sets");
  if (!Array.isArray(given) || given.length === 0 || given.length > MAX_SETS) {
    throw fail("encryption_parameters", `must be a list of 1 to ${MAX_SETS} parameter sets, got ${show(given)}`);
  }
  const sets = given.map((set, i) => parseSet(set, `encryption_parameters[${i}]`, fail));
  if (debug !== "y" && debug !== "n") throw fail("debug", `must be "y" or "n", got ${show(debug)}`);
  if (layers !== undefined) {
    if (!isLayers(layers) || layers.length === 0) {
      throw fail("layers", `must be a list of layer numbers, as [0, 1, 2, 3], got ${show(layers)}`);
    }
    const gap = layers.findIndex((layer, i) => i > 0 && layer !== layers[i - 1] + 1);
    if (gap > 0) {
      throw fail(
        "layers",
        `must go from the smallest to the largest without a gap, got ${layers[gap]} after ${layers[gap - 1]}`,
      );
    }
  }
  for (const [field, value] of Object.entries({ dataset, model_path: modelPath })) {
    if (value !== undefined && (typeof value !== "string" || value === "")) {
      throw fail(field, `must be the name of a file${field === "dataset" ? " or data set" : ""}, got ${show(value)}`);
    }
  }
  if (maxThreads !== undefined && !isInteger(maxThreads, 1, MAX_THREADS)) {
    throw fail("max_threads", `must be an integer from 1 to ${MAX_THREADS}, got ${show(maxThreads)}`);
  }
  return {
    sets,
    debug: debug === "y",
    layers: layers as number[] | undefined,
    dataset: dataset as string | undefined,
    modelPath: modelPath as string | undefined,
    maxThreads,
  };
}

type Failure = (field: string, problem: string) => CrcnnError;

function parseSet(set: unknown, at: string, fail: Failure): ParameterSet {
  if (!isObject(set)) throw fail(at, `must be an object, as { "m": 2048, "p": 13513511, … }, got ${show(set)}`);
  const { scheme, rencrypt_positions: rencryptPositions = [] } = set;
  if (scheme !== undefined && scheme !== "bfv" && scheme !== "ckks") {
    throw fail(`${at}.scheme`, `must be "bfv" or "ckks", got ${show(scheme)}`);
  }
  const own = scheme === "bfv" || (scheme === undefined && ["m", "p", "base"].some((field) => field in set));
  refuseUnknown(set, own ? SEED_SET_FIELDS : CHOSEN_SET_FIELDS, `${at}.`, fail);
  if (!isLayers(rencryptPositions)) {
    throw fail(`${at}.rencrypt_positions`, `must be a list of layer numbers, as [3], got ${show(rencryptPositions)}`);
  }
  const common = { source: set, rencryptPositions };
  return own
    ? { ...common, scheme: "bfv", encryptionParameters: parseSeedParameters(set, at, fail) }
    : { ...common, scheme: "ckks", ...parseChosen(set, at, fail) };
}

function parseSeedParameters(
  set: Readonly<Record<string, unknown>>,
  at: string,
  fail: Failure,
): SeedSet["encryptionParameters"] {
  for (const field of SEED_FIELDS) {
    const value = set[field];
    if (value === undefined) throw fail(`${at}.${field}`, "is missing");
    if (typeof value !== "number") throw fail(`${at}.${field}`, `must be a number, got ${show(value)}`);
  }
  const { m, p, sec, base } = set as Record<(typeof SEED_FIELDS)[number], number>;
  return { m, p, sec, base };
}

function parseChosen(
  { precision, sec, objective = "latency" }: Readonly<Record<string, unknown>>,
  at: string,
  fail: Failure,
): Pick<ChosenSet, "precision" | "security" | "objective"> {
  if (precision !== undefined && !(typeof precision === "number" && precision > 0 && precision < 1)) {
    throw fail(`${at}.precision`, `must be a number between 0 and 1, as 0.001, got ${show(precision)}`);
  }
  if (sec !== undefined && sec !== 128 && sec !== 192 && sec !== 256) {
    throw fail(`${at}.sec`, `must be 128, 192 or 256, got ${show(sec)}`);
  }
  if (objective !== "latency" && objective !== "throughput") {
    throw fail(`${at}.objective`, `must be "latency" or "throughput", got ${show(objective)}`);
  }
  return { precision: precision as number | undefined, security: sec, objective };
}

function refuseUnknown(fields: object, known: readonly string[], prefix: string, fail: Failure): void {
  const unknown = Object.keys(fields).find((field) => !known.includes(field));
  if (unknown !== undefined) throw fail(`${prefix}${clip(unknown)}`, `is unknown; there are ${known.join(", ")}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isInteger(value: unknown, least: number, most: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isLayers(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= MAX_LAYERS && value.every((layer) => isInteger(layer, 0, MAX_LAYERS));
}

function show(value: unknown): string {
  return clip(JSON.stringify(value));
}

function clip(text: string): string {
  const line = oneLine(text);
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
