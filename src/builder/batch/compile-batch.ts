/** From a model to a batch plan and a manifest: slots are images. */

import {
  analyseDraft,
  type BatchCost,
  type BatchManifest,
  type BatchPlan,
  type BatchSchedule,
  demandBatchKeys,
  draftBatch,
  estimateBatchCost,
  hashBatchPlan,
  measureSpans,
  mergeDemands,
  peakBytes,
  scheduleBatch,
} from "../../plan/index.ts";
import type { ResolvedOptions } from "../compile-options.ts";
import { noParameters } from "../no-parameters.ts";
import type { ModelStretch } from "../stretches.ts";
import { type ChosenChain, chooseChain } from "./chains.ts";
import type { BatchStretch } from "./numbers.ts";

/** A network ready to be run on many images at once. */
export interface CompiledBatch {
  /** For the key's owner. */
  readonly manifest: BatchManifest;
  /** For the evaluator, one a segment. */
  readonly plans: readonly BatchPlan[];
  readonly schedules: readonly BatchSchedule[];
  /** By segment, for one evaluation of a full batch. */
  readonly costs: readonly (BatchCost & { readonly peakBytes: number })[];
  /** Predicted error of an output relative to the largest one, rounded weights included. */
  readonly predictedError: number;
}

/** @throws CrcnnError NO_PARAMETERS when no ring degree reaches the precision, ABORTED. */
export function compileBatch(stretches: readonly ModelStretch[], options: ResolvedOptions): CompiledBatch {
  const { precision, security, weightBits, signal } = options;
  const analysed = stretches.map(({ steps, inputShape, calibration }): BatchStretch => {
    const draft = draftBatch(steps, inputShape);
    return { draft, statistics: analyseDraft(draft, calibration) };
  });
  const chosen = chooseChain(analysed, { precision, security, weightBits }, signal);
  if (!("parameters" in chosen)) {
    throw noParameters(
      options,
      chosen.closest,
      Math.max(...analysed.map(({ statistics }) => statistics.typicalOutput)),
    );
  }
  return assemble(stretches, chosen, options);
}

function assemble(
  source: readonly ModelStretch[],
  { parameters, stretches }: ChosenChain,
  { inputRange }: ResolvedOptions,
): CompiledBatch {
  const plans = stretches.map(({ plan }) => plan);
  const schedules = stretches.map(({ plan, inputLevel, numbers }) =>
    scheduleBatch(plan, parameters, { level: inputLevel, scale: 2 ** numbers.messageBits }),
  );
  const last = schedules.map((schedule) => schedule[schedule.length - 1]);
  return {
    manifest: {
      scheme: "ckks",
      packing: "batch",
      parameters,
      policy: { messageScale: schedules[0][0].scale, outputScale: last[last.length - 1].scale },
      keys: mergeDemands(plans.map((plan, i) => demandBatchKeys(plan, schedules[i]))),
      capacity: parameters.ringDegree / 2,
      segments: stretches.map(({ plan, inputLevel, numbers }, i) => ({
        hash: hashBatchPlan(plan),
        inputShape: plan.inputShape,
        // A later segment's inputs are what the one before yields.
        range: i === 0 ? inputRange : undefined,
        inputLevel,
        inputScale: schedules[i][0].scale,
        outputShape: plan.outputShape,
        outputLevel: last[i].level,
        outputScale: last[i].scale,
        outputComponents: last[i].components,
        ownerLayers: source[i].ownerLayers,
        expectedError: numbers.noise,
      })),
    },
    plans,
    schedules,
    costs: plans.map((plan, i) => ({
      ...estimateBatchCost(plan, measureSpans(plan), parameters, schedules[i]),
      peakBytes: peakBytes(plan, parameters, schedules[i]),
    })),
    predictedError: Math.max(...stretches.map(({ relativeError }) => relativeError)),
  };
}
