/**
 * Errors of a batch plan before it is made: noise by variance propagation as in `../noise.ts`, rounded weights by measuring what rounding each
 * map does to the outputs of calibration inputs (a kernel's rounding error meets every position alike, so such errors add up and a variance
 * would be too hopeful). Variances are of the real part of a slot, in units of the values.
 */

import { ERROR_VARIANCE } from "../../math/index.ts";
import type { RlweParameters } from "../../rlwe/index.ts";
import { applyAffine } from "../affine-map.ts";
import { keySwitchVariance, rescaleVariance } from "../noise.ts";
import { sizeOf, type Tensor } from "../tensor.ts";
import { applyStage } from "./clear.ts";
import type { BatchDraft, DraftMap, DraftSpan } from "./draft.ts";
import type { BatchPlan } from "./plan.ts";
import { affineStage, type MeanInputs } from "./quantize.ts";
import type { BatchSchedule } from "./schedule.ts";
import { spansOf } from "./tiles.ts";

/** What calibration inputs say of a draft, by span. */
export interface BatchStatistics {
  /** Variance at an output, on average, for a unit of variance in every element that enters the span. */
  readonly gain: readonly number[];
  /** Largest absolute value before the square, and behind the span (or its square and pool, where it has them). */
  readonly largest: readonly { readonly linear: number; readonly output: number }[];
  readonly means: MeanInputs;
  /** Largest error of an output when this span's weights are rounded to {@link PROBE_BITS} bits; 0 without weights. It halves with each bit. */
  readonly weightError: readonly number[];
  /** Median over the calibration inputs of the largest absolute output: what a relative precision refers to. */
  readonly typicalOutput: number;
}

/** Weights of so many bits, and a few fractions around it, are tried out. */
export const PROBE_BITS = 10;
const PROBES = [PROBE_BITS - 0.4, PROBE_BITS - 0.1, PROBE_BITS + 0.2, PROBE_BITS + 0.5];
const ROUNDING = 1 / 12;
/** Outputs whose derivatives are taken, at most about so many. */
const GAIN_OUTPUTS = 16;

export function analyseDraft({ spans }: BatchDraft, calibration: readonly Tensor[]): BatchStatistics {
  const traces = calibration.map(({ data }) => traceSpans(spans, data));
  const largestOutputs = traces
    .map((trace) => largestOf(trace[trace.length - 1].output))
    .sort((left, right) => left - right);
  const means = spans.map((_, i) => meanOf(traces.map((trace) => trace[i].input)));
  return {
    gain: gainsOf(spans, traces),
    means,
    largest: spans.map((_, i) => ({
      linear: Math.max(...traces.map((trace) => largestOf(trace[i].linear))),
      output: Math.max(...traces.map((trace) => largestOf(trace[i].output))),
    })),
    weightError: spans.map(({ map }, i) =>
      map && map.equal === undefined ? probe(spans, i, map, means[i], traces) : 0,
    ),
    typicalOutput: largestOutputs[largestOutputs.length >> 1],
  };
}

/** Values of one span: what goes in, behind its map, and behind its pool. */
interface Trace {
  readonly input: Float64Array;
  readonly linear: Float64Array;
  readonly output: Float64Array;
}

function traceSpan({ map, square, pool }: DraftSpan, input: Float64Array, linear?: Float64Array): Trace {
  const sums = linear ?? (map ? applyAffine(map.map, input) : input);
  const squares = square ? sums.map((value) => value * value) : sums;
  return { input, linear: sums, output: pool ? applyAffine(pool.map, squares) : squares };
}

/** Outputs of a draft for one input, in the clear. */
export function batchOutputs({ spans }: BatchDraft, input: Float64Array): Float64Array {
  const trace = traceSpans(spans, input);
  return trace[trace.length - 1].output;
}

function traceSpans(spans: readonly DraftSpan[], input: Float64Array): Trace[] {
  let values = input;
  return spans.map((span) => {
    const trace = traceSpan(span, values);
    values = trace.output;
    return trace;
  });
}

const largestOf = (values: Float64Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/**
 * By span: the mean over outputs and calibration inputs of the squares of the output's derivatives, added up over the elements that enter. A
 * whole derivative, not a variance handed from layer to layer: neighbours in a pool share inputs, so their errors are not independent.
 */
function gainsOf(spans: readonly DraftSpan[], traces: readonly (readonly Trace[])[]): number[] {
  const gains = new Array<number>(spans.length).fill(0);
  const outputs = traces[0][spans.length - 1].output.length;
  const step = Math.ceil(outputs / GAIN_OUTPUTS);
  const share = 1 / (Math.ceil(outputs / step) * traces.length);
  for (const trace of traces) {
    for (let output = 0; output < outputs; output += step) {
      let gradient = new Float64Array(outputs);
      gradient[output] = 1;
      for (let i = spans.length - 1; i >= 0; i--) {
        gradient = throughSpan(spans[i], trace[i], gradient);
        gains[i] += share * gradient.reduce((sum, value) => sum + value ** 2, 0);
      }
    }
  }
  return gains;
}

function throughSpan(
  { map, square, pool }: DraftSpan,
  { linear }: Trace,
  gradient: Float64Array<ArrayBuffer>,
): Float64Array<ArrayBuffer> {
  const pooled = pool ? throughMap(pool, gradient) : gradient;
  const squared = square ? pooled.map((value, element) => 2 * linear[element] * value) : pooled;
  return map ? throughMap(map, squared) : squared;
}

function throughMap({ map }: DraftMap, gradient: Float64Array): Float64Array<ArrayBuffer> {
  const { rowStart, column, weight } = map;
  const before = new Float64Array(sizeOf(map.inputShape));
  for (let row = 0; row < gradient.length; row++) {
    for (let k = rowStart[row]; k < rowStart[row + 1]; k++) before[column[k]] += weight[k] * gradient[row];
  }
  return before;
}

function meanOf(vectors: readonly Float64Array[]): Float64Array {
  return vectors[0].map((_, i) => vectors.reduce((sum, vector) => sum + vector[i], 0) / vectors.length);
}

function probe(
  spans: readonly DraftSpan[],
  at: number,
  map: DraftMap,
  means: Float64Array,
  traces: readonly (readonly Trace[])[],
): number {
  const errors = PROBES.map((bits) => {
    const stage = affineStage(map, bits, means);
    const largest = traces.map((trace) => {
      let { output: values } = traceSpan(spans[at], trace[at].input, applyStage(stage, trace[at].input));
      for (const span of spans.slice(at + 1)) values = traceSpan(span, values).output;
      const { output } = trace[trace.length - 1];
      return largestOf(values.map((value, i) => value - output[i]));
    });
    return Math.max(...largest) * 2 ** (bits - PROBE_BITS);
  });
  return Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length);
}

/** Largest error of an output that rounding the weights leads to: errors of several maps add up like independent ones. */
export function estimateWeightError({ weightError }: BatchStatistics, weightBits: readonly number[]): number {
  return Math.hypot(...weightError.map((error, i) => error * 2 ** (PROBE_BITS - weightBits[i])));
}

/** Standard deviation of an output's noise, for fresh symmetric encryptions of the inputs. Rounded weights come on top. */
export function estimateBatchNoise(
  plan: BatchPlan,
  { gain }: BatchStatistics,
  parameters: RlweParameters,
  schedule: BatchSchedule,
): number {
  const slots = parameters.ringDegree / 2;
  /** A slot sums as many coefficients as there are, half of whose variance is in the real part. */
  const slotVariance = (coefficient: number, scale: number): number => (coefficient * slots) / scale ** 2;
  const rescaling = rescaleVariance(parameters.ringDegree);
  let variance = gain[0] * slotVariance(ERROR_VARIANCE + ROUNDING, schedule[0].scale);
  for (const [s, { first, stages }] of spansOf(plan).entries()) {
    // A key switch or a division stands at a span's end: what it adds enters the next span, or the outputs.
    const entering = gain[s + 1] ?? 1;
    for (const [j, { op }] of stages.entries()) {
      const { level, scale } = schedule[first + j];
      if (op === "relinearize") variance += entering * slotVariance(keySwitchVariance(parameters, level), scale);
      if (op === "rescale") variance += entering * slotVariance(rescaling, schedule[first + j + 1].scale);
    }
  }
  return Math.sqrt(variance);
}
