/** Small networks in the batch packing, at parameters that are insecure on purpose. */

import { networkSteps, runModel, traceShapes } from "../../../src/builder/index.ts";
import type { CkksCiphertext } from "../../../src/ckks/index.ts";
import { findNttPrimes } from "../../../src/math/index.ts";
import { createOwner, type KeyOwner, type OwnerOptions } from "../../../src/owner/index.ts";
import {
  type BatchDraft,
  type BatchManifest,
  type BatchPlan,
  type BatchProgram,
  type BatchSchedule,
  createCkksBatchOperations,
  demandBatchKeys,
  draftBatch,
  hashBatchPlan,
  type Layer,
  prepareBatchProgram,
  type Shape,
  scheduleBatch,
  type Tensor,
} from "../../../src/plan/index.ts";
import type { RlweParameters } from "../../../src/rlwe/index.ts";
import { chainOf } from "../../helpers/chain.ts";
import { numbers } from "../../helpers/plans.ts";

export const DEGREE = 1024;

export function toyChain(
  dataBits: readonly number[],
  specialBits: readonly number[],
  digitPrimes?: number,
): RlweParameters {
  const primes = findNttPrimes(DEGREE, [...specialBits, ...dataBits]);
  return {
    ringDegree: DEGREE,
    dataPrimes: primes.slice(specialBits.length),
    specialPrimes: primes.slice(0, specialBits.length),
    ...(digitPrimes === undefined ? {} : { digitPrimes }),
    security: "insecure",
  };
}

/** The draft of some layers, and what they compute. */
export function draftLayers(
  layers: readonly Layer[],
  inputShape: Shape,
): { draft: BatchDraft; forward: (input: Tensor) => Tensor } {
  const model = chainOf(layers);
  const steps = networkSteps(model, traceShapes(model, inputShape));
  return { draft: draftBatch(steps, inputShape), forward: (input) => runModel(model, input) };
}

export function randomTensors(count: number, shape: Shape, seed: number): Tensor[] {
  const next = numbers(seed);
  const size = shape.reduce((product, axis) => product * axis, 1);
  return Array.from({ length: count }, () => ({ shape, data: Float64Array.from({ length: size }, () => next()) }));
}

export interface BatchRun {
  readonly owner: KeyOwner;
  readonly manifest: BatchManifest;
  readonly schedule: BatchSchedule;
  readonly program: BatchProgram<CkksCiphertext>;
}

/** An owner and a program for a plan whose inputs are at the top of the chain. */
export async function openBatch(
  plan: BatchPlan,
  parameters: RlweParameters,
  messageScale: number,
  options: OwnerOptions = {},
): Promise<BatchRun> {
  const inputLevel = parameters.dataPrimes.length - 1;
  const schedule = scheduleBatch(plan, parameters, { level: inputLevel, scale: messageScale });
  const last = schedule[schedule.length - 1]!;
  const segment = {
    hash: hashBatchPlan(plan),
    inputShape: plan.inputShape,
    range: [-1, 1] as const,
    inputLevel,
    inputScale: messageScale,
    outputShape: plan.outputShape,
    outputLevel: last.level,
    outputScale: last.scale,
    outputComponents: last.components,
    ownerLayers: [],
    expectedError: 1e-3,
  };
  const manifest: BatchManifest = {
    scheme: "ckks",
    packing: "batch",
    parameters,
    policy: { messageScale, outputScale: last.scale },
    keys: demandBatchKeys(plan, schedule),
    segments: [segment],
    capacity: parameters.ringDegree / 2,
  };
  const owner = await createOwner(manifest, options);
  const program = prepareBatchProgram(plan, createCkksBatchOperations(plan, owner.evaluator, segment));
  return { owner, manifest, schedule, program };
}
