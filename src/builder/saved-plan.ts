/**
 * Compiled networks as bytes and back. Weights and packings are saved with the manifest; schedules and costs follow from them and are computed
 * again, so that nothing which the interpreters rely on is taken from a file unseen.
 */

import { CrcnnError } from "../errors/index.ts";
import {
  type BatchManifest,
  type Complain,
  decodeData,
  demandKeys,
  deserializeManifest,
  encodeData,
  estimateBatchCost,
  estimateCost,
  measureSpans,
  mergeDemands,
  type PlanManifest,
  peakBytes,
  requireBatchPlan,
  requireBatchSegment,
  requireFields,
  requireIndex,
  requireList,
  requirePlan,
  type ScalePolicy,
  scheduleBatch,
  schedulePlan,
  serializeManifest,
} from "../plan/index.ts";
import { maximumModulusBits, modulusBits, type RlweParameters } from "../rlwe/index.ts";
import type { CompiledBatch } from "./batch/compile-batch.ts";
import type { CompiledNetwork } from "./compile.ts";

const FORMAT = "crcnn plan 1";

/** A compiled network of either objective. */
export type Compiled = CompiledNetwork | CompiledBatch;

export function isBatch(network: Compiled): network is CompiledBatch {
  return "packing" in network.manifest;
}

/** A compiled network as bytes, for a file: with the model's weights, without any key. */
export function savePlan(network: Compiled): Uint8Array<ArrayBuffer> {
  const { predictedError } = network;
  if (isBatch(network)) {
    const plans = network.plans.map(({ stages }) => ({ stages }));
    return encodeData({ format: FORMAT, kind: "batch", manifest: network.manifest, plans, predictedError });
  }
  // Packings stand in the manifest.
  const plans = network.plans.map(({ nodes, layers, groups, outputs }) => ({ nodes, layers, groups, outputs }));
  return encodeData({
    format: FORMAT,
    kind: "network",
    manifest: serializeManifest(network.manifest),
    plans,
    predictedError,
  });
}

/**
 * Reads {@link savePlan}'s bytes back.
 *
 * @param name The file's, for messages.
 * @throws CrcnnError INVALID_FILE for anything else: every index and size is checked, every plan against its hash, parameters against the
 * security table.
 */
export function readPlan(bytes: Uint8Array, name = "the plan"): Compiled {
  const complain: Complain = (what) =>
    new CrcnnError("INVALID_FILE", `${name} is no plan that can be run: ${what}; compile the model again`);
  const fields = requireFields(decodeData(bytes), "it", complain);
  if (fields.format !== FORMAT) throw complain(`its format is ${JSON.stringify(fields.format)}`);
  const plans = requireList(fields.plans, "the list of plans", complain);
  const { predictedError } = fields;
  if (typeof predictedError !== "number" || !(predictedError >= 0)) throw complain("it predicts no error");
  const network =
    fields.kind === "batch"
      ? readBatch(fields.manifest, plans, predictedError, complain)
      : readNetwork(fields.manifest, plans, predictedError, complain);
  return network;
}

function readNetwork(
  text: unknown,
  list: readonly unknown[],
  predictedError: number,
  complain: Complain,
): CompiledNetwork {
  const manifest = readManifest(text, complain);
  const { parameters, policy, segments } = manifest;
  requireParameters(parameters, complain);
  if (segments.length !== list.length) throw complain("it has not as many plans as segments");
  const plans = segments.map((segment, i) => requirePlan(list[i], segment, complain));
  const schedules = plans.map((plan, i) => {
    const { inputLevel, outputLevel, outputScale } = segments[i];
    const schedule = schedulePlan(plan, parameters, policy, { level: inputLevel, scale: policy.messageScale });
    const { levels, scales } = schedule;
    if (levels.some((level) => level < 0)) throw complain("it rescales more often than it has primes");
    if (!scales.every((scale) => scale > 0 && Number.isFinite(scale))) throw complain("its scales have no end");
    if (plan.outputs.some((id) => levels[id] !== outputLevel || scales[id] !== outputScale)) {
      throw complain("its outputs are not as the manifest says");
    }
    return schedule;
  });
  const demands = plans.map((plan, i) => demandKeys(plan, schedules[i]));
  if (JSON.stringify(mergeDemands(demands)) !== JSON.stringify(manifest.keys)) {
    throw complain("it needs other keys than the manifest says");
  }
  const costs = plans.map((plan, i) => estimateCost(plan, parameters, schedules[i], demands[i]));
  return { manifest, plans, schedules, costs, predictedError };
}

function readManifest(text: unknown, complain: Complain): PlanManifest {
  if (typeof text !== "string") throw complain("it has no manifest");
  try {
    return deserializeManifest(text);
  } catch (error) {
    throw complain(error instanceof Error ? error.message : String(error));
  }
}

function requireParameters(
  { ringDegree, dataPrimes, specialPrimes, security }: RlweParameters,
  complain: Complain,
): void {
  const bits = modulusBits([...dataPrimes, ...specialPrimes]);
  const fits = security !== "insecure" && dataPrimes.length > 0 && bits <= maximumModulusBits(ringDegree, security);
  if (!fits) throw complain("its parameters are not those of the security table");
}

function readBatch(
  value: unknown,
  list: readonly unknown[],
  predictedError: number,
  complain: Complain,
): CompiledBatch {
  const manifest = readBatchManifest(value, complain);
  const { parameters, segments } = manifest;
  if (segments.length !== list.length) throw complain("it has not as many plans as segments");
  const plans = segments.map((segment, i) => requireBatchPlan(list[i], segment, complain));
  const schedules = plans.map((plan, i) => {
    const { inputLevel, inputScale, outputLevel, outputScale } = segments[i];
    const schedule = scheduleBatch(plan, parameters, { level: inputLevel, scale: inputScale });
    if (schedule.some(({ level }) => level < 0)) throw complain("it rescales more often than it has primes");
    const last = schedule[schedule.length - 1];
    if (last.level !== outputLevel || last.scale !== outputScale) {
      throw complain("its outputs are not as the manifest says");
    }
    return schedule;
  });
  const costs = plans.map((plan, i) => ({
    ...estimateBatchCost(plan, measureSpans(plan), parameters, schedules[i]),
    peakBytes: peakBytes(plan, parameters, schedules[i]),
  }));
  return { manifest, plans, schedules, costs, predictedError };
}

function readBatchManifest(value: unknown, complain: Complain): BatchManifest {
  const fields = requireFields(value, "the manifest", complain);
  const given = requireFields(fields.parameters, "the parameters", complain);
  const primes = (list: unknown): number[] =>
    requireList(list, "the primes", complain).map((prime) => requireIndex(prime, 2, 2 ** 31, "a prime", complain));
  const parameters: RlweParameters = {
    ringDegree: requireIndex(given.ringDegree, 1024, 2 ** 16 + 1, "the ring degree", complain),
    dataPrimes: primes(given.dataPrimes),
    specialPrimes: primes(given.specialPrimes),
    ...(given.digitPrimes === undefined
      ? {}
      : { digitPrimes: requireIndex(given.digitPrimes, 1, 65, "digitPrimes", complain) }),
    security: securityOf(given.security, complain),
  };
  requireParameters(parameters, complain);
  const levels = parameters.dataPrimes.length;
  const { relinearization } = requireFields(fields.keys, "the keys", complain);
  return {
    scheme: "ckks",
    packing: "batch",
    parameters,
    policy: policyOf(fields.policy, complain),
    keys: {
      rotations: [],
      relinearization: requireIndex(relinearization, -1, levels, "the relinearization key's level", complain),
    },
    capacity: parameters.ringDegree / 2,
    segments: requireList(fields.segments, "the segments", complain).map((segment) =>
      requireBatchSegment(segment, levels, complain),
    ),
  };
}

function securityOf(value: unknown, complain: Complain): 128 | 192 | 256 {
  if (value === 128 || value === 192 || value === 256) return value;
  throw complain(`its security is ${String(value)}`);
}

function policyOf(value: unknown, complain: Complain): ScalePolicy {
  const { messageScale, outputScale } = requireFields(value, "the scales", complain);
  if (typeof messageScale === "number" && typeof outputScale === "number" && messageScale > 0 && outputScale > 0) {
    return { messageScale, outputScale };
  }
  throw complain("its scales are no numbers above 0");
}
