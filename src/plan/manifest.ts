/**
 * What a client must know to use a compiled network: parameters, the keys that are wanted, how to pack inputs and read results. Plain data
 * that survives JSON; it holds no weights.
 */

import { CrcnnError } from "../errors/index.ts";
import { type RlweParameters, rotationElement } from "../rlwe/index.ts";
import type { InputPacking } from "./layout.ts";
import type { OutputPacking } from "./plan.ts";
import type { KeyDemand, ScalePolicy } from "./schedule.ts";
import { sizeOf } from "./tensor.ts";

/** A layer that the key's owner applies in the clear, as plain data. Which kinds there are is fixed: see `ownerLayer` of `crcnn/layers`. */
export interface OwnerLayer {
  /** PyTorch's class name. */
  readonly kind: string;
  /** The layer's options under their names there. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** One stretch of a network that runs without the key's owner: from one encryption to one decryption. */
export interface SegmentManifest {
  /** SHA-256 of the segment's plan. */
  readonly hash: string;
  readonly slots: number;
  readonly input: InputPacking;
  /** Level at which inputs are encrypted: a segment that is shorter than the chain need not carry all of it. */
  readonly inputLevel: number;
  readonly output: OutputPacking;
  /** Ciphertexts of a result, with their level and scale. */
  readonly outputCiphertexts: number;
  readonly outputLevel: number;
  readonly outputScale: number;
  /** What the key's owner applies to the decrypted result, one after the other, before the next segment's encryption. */
  readonly ownerLayers: readonly OwnerLayer[];
  /** Largest error that is expected of an output, in its own units: an imaginary part far above it means that the result is lost. */
  readonly expectedError: number;
}

export interface PlanManifest {
  readonly scheme: "ckks";
  readonly parameters: RlweParameters;
  readonly policy: ScalePolicy;
  /** Union over the segments. */
  readonly keys: KeyDemand;
  /** One more than there are refreshes. */
  readonly segments: readonly SegmentManifest[];
}

/** Joins demands: each key at the highest level that any of them wants. */
export function mergeDemands(demands: readonly KeyDemand[]): KeyDemand {
  const levels = new Map<number, number>();
  for (const { rotations } of demands) {
    for (const { steps, level } of rotations) levels.set(steps, Math.max(levels.get(steps) ?? 0, level));
  }
  return {
    rotations: [...levels].sort(([left], [right]) => left - right).map(([steps, level]) => ({ steps, level })),
    relinearization: Math.max(-1, ...demands.map(({ relinearization }) => relinearization)),
  };
}

/** More layers than that in a row are no network's. */
const MAX_OWNER_LAYERS = 64;

/** Data of the right form; that kind and options are known is checked where layers are made of it. */
export function isOwnerLayers(value: unknown): value is OwnerLayer[] {
  const isObject = (part: unknown): part is object => typeof part === "object" && part !== null && !Array.isArray(part);
  const isLayer = (part: unknown): boolean =>
    isObject(part) && "kind" in part && typeof part.kind === "string" && "options" in part && isObject(part.options);
  return Array.isArray(value) && value.length <= MAX_OWNER_LAYERS && value.every(isLayer);
}

const INTEGERS = (values: unknown): values is number[] => Array.isArray(values) && values.every(Number.isInteger);

/** A manifest as JSON text. */
export function serializeManifest(manifest: PlanManifest): string {
  return JSON.stringify(manifest, (_, value) => (value instanceof Int32Array ? Array.from(value) : value));
}

/**
 * Reads {@link serializeManifest}'s text back, checking every index against the sizes that it comes with.
 *
 * @throws CrcnnError INVALID_MESSAGE for anything else.
 */
export function deserializeManifest(text: string): PlanManifest {
  const invalid = (what: string): CrcnnError =>
    new CrcnnError("INVALID_MESSAGE", `the plan's manifest is malformed: ${what}; ask the server for it again`);
  let manifest: PlanManifest;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw invalid("it is not JSON");
  }
  const { scheme, parameters, policy, keys, segments } = manifest ?? {};
  if (scheme !== "ckks") throw invalid(`scheme ${JSON.stringify(scheme)}`);
  if (!parameters || !INTEGERS(parameters.dataPrimes) || !INTEGERS(parameters.specialPrimes))
    throw invalid("parameters");
  // "insecure" is for tests inside one process; nobody may be talked into it over a wire.
  if (![128, 192, 256].includes(parameters.security as number)) throw invalid(`security ${parameters.security}`);
  if (!(policy?.messageScale > 0) || !(policy.outputScale > 0)) throw invalid("scales");
  const levels = parameters.dataPrimes.length;
  const isLevel = (level: unknown): boolean =>
    Number.isInteger(level) && (level as number) >= -1 && (level as number) < levels;
  if (!Array.isArray(keys?.rotations) || keys.rotations.length > parameters.ringDegree) throw invalid("rotation keys");
  if (!isLevel(keys.relinearization)) throw invalid("relinearization key");
  for (const key of keys.rotations) {
    if (!Number.isInteger(key?.steps) || !isLevel(key.level) || key.level < 0) throw invalid("rotation keys");
  }
  if (!Array.isArray(segments) || segments.length === 0) throw invalid("segments");
  return {
    scheme,
    parameters,
    policy,
    keys,
    segments: segments.map((segment) => reviveSegment(segment, parameters, invalid)),
  };
}

function reviveSegment(
  segment: SegmentManifest,
  { ringDegree, dataPrimes }: RlweParameters,
  invalid: (what: string) => CrcnnError,
): SegmentManifest {
  const { slots, input, inputLevel, output, outputCiphertexts, outputLevel, outputScale, ownerLayers, expectedError } =
    segment ?? {};
  const source = input?.source as unknown;
  const position = output?.position as unknown;
  if (!Number.isInteger(inputLevel) || inputLevel < 0 || inputLevel >= dataPrimes.length) throw invalid("input level");
  if (!Number.isInteger(Math.log2(slots)) || slots < 1 || slots > ringDegree / 2) throw invalid("slots");
  if (!INTEGERS(source) || !INTEGERS(input.shape) || source.length !== slots * input.ciphertexts)
    throw invalid("input");
  if (!INTEGERS(position) || !INTEGERS(output.shape) || !(output.factor > 0)) throw invalid("output");
  if (source.some((element) => element < -1 || element >= sizeOf(input.shape))) throw invalid("input");
  if (input.range !== undefined && !isRange(input.range)) throw invalid("input range");
  if (position.length !== sizeOf(output.shape)) throw invalid("output");
  // Anything else would switch off the check of a result's error.
  if (!(expectedError > 0) || !Number.isFinite(expectedError)) throw invalid("expected error");
  if (!isOwnerLayers(ownerLayers)) throw invalid("the key owner's layers");
  if (!Number.isInteger(outputCiphertexts) || outputCiphertexts < 1) throw invalid("output");
  if (!Number.isInteger(outputLevel) || outputLevel < 0 || outputLevel > inputLevel) throw invalid("output level");
  if (!(outputScale > 0) || !Number.isFinite(outputScale)) throw invalid("output scale");
  if (position.some((slot) => slot < 0 || slot >= slots * outputCiphertexts)) throw invalid("output");
  return {
    ...segment,
    input: { ...input, source: Int32Array.from(source) },
    output: { ...output, position: Int32Array.from(position) },
  };
}

function isRange(range: unknown): boolean {
  return Array.isArray(range) && range.length === 2 && range.every(Number.isFinite) && range[0] <= range[1];
}

/** The Galois elements of a demand's rotations. */
export function elementsOf(ringDegree: number, { rotations }: KeyDemand): { element: number; level: number }[] {
  return rotations.map(({ steps, level }) => ({ element: rotationElement(ringDegree, steps), level }));
}
