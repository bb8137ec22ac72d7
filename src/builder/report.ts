/** What a compiled network will take, before any key exists: plain data, for people and programs. */

import {
  batchCostByLayer,
  costByLayer,
  demandBytes,
  estimateHeap,
  type HeapEstimate,
  type LayerCost,
  type MachineCosts,
  polynomialBytes,
  type Shape,
} from "../plan/index.ts";
import { maximumModulusBits, modulusBits, type RlweParameters } from "../rlwe/index.ts";
import type { CompiledBatch } from "./batch/compile-batch.ts";
import type { CompiledNetwork } from "./compile.ts";
import type { Objective } from "./compile-options.ts";
import { type Compiled, isBatch } from "./saved-plan.ts";
import type { SourceModel } from "./source/source-model.ts";

/** A group of layers that were fused. */
export interface LayerReport extends LayerCost {
  /** The layers' kinds, as `Conv2d + AvgPool2d`. */
  readonly name: string;
  /** The stretch between two encryptions that it belongs to, from 0. */
  readonly segment: number;
}

export interface PlanReport {
  readonly objective: Objective;
  readonly inputShape: Shape;
  readonly parameters: RlweParameters & {
    /** log2(QP), and the most that the security table allows for this ring degree. */
    readonly modulusBits: number;
    readonly maximumModulusBits: number;
    /** Rescales that the chain has room for: data primes, less one. */
    readonly levels: number;
  };
  /** SHA-256 of the plans, one a segment: equal wherever the model is compiled. */
  readonly hashes: readonly string[];
  readonly layers: readonly LayerReport[];
  readonly rotations: number;
  readonly relinearizations: number;
  readonly keys: { readonly count: number; readonly bytes: number };
  /** Ciphertexts of one evaluation on the wire, all segments together. */
  readonly ciphertexts: { readonly bytesUp: number; readonly bytesDown: number };
  /** The evaluator's heap, and whether that is no more than a heap may have. */
  readonly heap: HeapEstimate;
  readonly fitsHeap: boolean;
  /** Images in one evaluation. */
  readonly images: number;
  /** Of one evaluation with everything warm. */
  readonly seconds: number;
  readonly precision: {
    /** Largest error of an output that is expected, relative to the largest output, and as bits. */
    readonly relativeError: number;
    readonly bits: number;
  };
}

/** Offsets in a heap are 32-bit byte addresses. */
const LARGEST_HEAP = 2 ** 32;

/**
 * Reports on a compiled network.
 *
 * @param machine Prices of kernels: `WASM_COSTS`, or what `calibrateCosts` measured on the machine at hand.
 */
export function reportPlan(model: SourceModel, network: Compiled, machine: MachineCosts): PlanReport {
  const own = isBatch(network) ? reportBatch(network, machine) : reportNetwork(network, machine);
  const { parameters, keys, segments } = network.manifest;
  const { ringDegree, dataPrimes, specialPrimes, security } = parameters;
  const layers = own.layers.flatMap((costs, segment) =>
    costs.map((cost) => ({ name: nameOf(model, cost), segment, ...cost })),
  );
  const total = (key: "seconds" | "rotations" | "relinearizations"): number =>
    layers.reduce((sum, layer) => sum + layer[key], 0);
  return {
    objective: own.objective,
    inputShape: own.inputShape,
    parameters: {
      ...parameters,
      modulusBits: modulusBits([...dataPrimes, ...specialPrimes]),
      maximumModulusBits: security === "insecure" ? Number.POSITIVE_INFINITY : maximumModulusBits(ringDegree, security),
      levels: dataPrimes.length - 1,
    },
    hashes: segments.map(({ hash }) => hash),
    layers,
    rotations: total("rotations"),
    relinearizations: total("relinearizations"),
    keys: { count: keys.rotations.length + (keys.relinearization >= 0 ? 1 : 0), bytes: own.keyBytes },
    ciphertexts: own.ciphertexts,
    heap: own.heap,
    fitsHeap: own.heap.total <= LARGEST_HEAP,
    images: own.images,
    seconds: total("seconds"),
    precision: { relativeError: network.predictedError, bits: -Math.log2(network.predictedError) },
  };
}

/** What is found by objective. */
type ObjectiveReport = Pick<PlanReport, "objective" | "inputShape" | "ciphertexts" | "heap" | "images"> & {
  /** By segment. */
  readonly layers: readonly (readonly LayerCost[])[];
  readonly keyBytes: number;
};

function reportNetwork({ manifest, plans, schedules }: CompiledNetwork, machine: MachineCosts): ObjectiveReport {
  const { parameters, keys, segments } = manifest;
  const [{ input }] = segments;
  const bytes = (count: number, level: number): number => count * polynomialBytes(parameters, level);
  return {
    objective: "latency",
    inputShape: input.shape,
    ciphertexts: {
      // Half of a fresh ciphertext travels as a seed.
      bytesUp: segments.reduce((sum, segment) => sum + bytes(segment.input.ciphertexts, segment.inputLevel), 0),
      bytesDown: segments.reduce((sum, segment) => sum + bytes(2 * segment.outputCiphertexts, segment.outputLevel), 0),
    },
    heap: estimateHeap(
      plans.map((plan, i) => ({ plan, schedule: schedules[i] })),
      parameters,
      keys,
    ),
    images: 1,
    layers: plans.map((plan, i) => costByLayer(plan, parameters, schedules[i], machine)),
    keyBytes: demandBytes(parameters, keys),
  };
}

function reportBatch({ manifest, plans, schedules, costs }: CompiledBatch, machine: MachineCosts): ObjectiveReport {
  const { parameters, segments, capacity, keys } = manifest;
  const values = Math.max(...costs.map(({ peakBytes }) => peakBytes));
  const heap = estimateHeap([], parameters, keys);
  return {
    objective: "throughput",
    inputShape: segments[0].inputShape,
    ciphertexts: {
      bytesUp: costs.reduce((sum, { inputBytes }) => sum + inputBytes, 0),
      bytesDown: costs.reduce((sum, { outputBytes }) => sum + outputBytes, 0),
    },
    heap: { ...heap, values, total: heap.total + values },
    images: capacity,
    layers: plans.map((plan, i) => batchCostByLayer(plan, parameters, schedules[i], machine)),
    keyBytes: Math.max(...costs.map(({ keyBytes }) => keyBytes)),
  };
}

function nameOf({ layers }: SourceModel, { layers: [first, last] }: LayerCost): string {
  return layers
    .filter(({ index }) => index >= first && index <= last)
    .map(({ layer }) => layer.kind)
    .join(" + ");
}
