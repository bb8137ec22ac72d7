/** The noise budget that an integer plan leaves, from parameters and weights alone: no key, no measurement. */

import {
  type BfvParameters,
  createNoiseEstimator,
  type NoiseEstimate,
  type NoiseEstimator,
} from "../../../bfv/index.ts";
import type { AffineStage, BatchPlan, BatchStage, SumStage } from "../plan.ts";

/**
 * What weighted sums do to noise, by stage: log2 of the factor of its deviation, at the row that makes the most of it; undefined where
 * nothing is summed. Inputs are encrypted independently of each other, so their variances add up; what comes later may have everything
 * in common, so deviations do.
 */
export type NoiseGains = readonly (number | undefined)[];

export function measureNoiseGains({ stages }: BatchPlan): NoiseGains {
  return stages.map((stage, i) => ("rowStart" in stage ? Math.log2(largestGain(stage, i === 0)) : undefined));
}

function largestGain(stage: AffineStage | SumStage, independent: boolean): number {
  const { rowStart } = stage;
  let largest = 1;
  for (let row = 0; row < rowStart.length - 1; row++) {
    let sum = 0;
    for (let k = rowStart[row]; k < rowStart[row + 1]; k++) {
      const weight = stage.op === "affine" ? Math.abs(stage.weight[k]) : 1;
      sum += independent ? weight ** 2 : weight;
    }
    largest = Math.max(largest, independent ? Math.sqrt(sum) : sum);
  }
  return largest;
}

/**
 * Noise before each stage, and behind the last, of symmetric encryptions at the top of the chain. Primes that a stage drops may be too many:
 * then the margin is negative.
 */
export function forecastNoise(
  { stages }: BatchPlan,
  gains: NoiseGains,
  parameters: Omit<BfvParameters, "security">,
): { readonly estimator: NoiseEstimator; readonly noises: readonly NoiseEstimate[] } {
  const estimator = createNoiseEstimator(parameters);
  const noises = [estimator.fresh("symmetric")];
  for (const [i, stage] of stages.entries()) {
    noises.push(follow(estimator, noises[i], stage, gains[i]));
  }
  return { estimator, noises };
}

/** Bits of noise budget that outputs keep at least; negative where decryption may be wrong. */
export function forecastMargin(
  plan: BatchPlan,
  gains: NoiseGains,
  parameters: Omit<BfvParameters, "security">,
): number {
  const { estimator, noises } = forecastNoise(plan, gains, parameters);
  return estimator.margin(noises[noises.length - 1]);
}

function follow(
  estimator: NoiseEstimator,
  noise: NoiseEstimate,
  stage: BatchStage,
  gain: number | undefined,
): NoiseEstimate {
  switch (stage.op) {
    case "affine":
    case "sum": {
      const summed = { ...noise, spectrum: noise.spectrum.map((variance) => variance + 2 * (gain ?? 0)) };
      return stage.op === "affine" ? estimator.addPlain(summed) : summed;
    }
    case "square":
      return estimator.multiply(noise, noise);
    case "relinearize":
      return estimator.relinearize(noise);
    case "switch-modulus": {
      let dropped = noise;
      for (let i = 0; i < stage.primes; i++) dropped = estimator.switchModulus(dropped);
      return dropped;
    }
    default:
      return noise;
  }
}
