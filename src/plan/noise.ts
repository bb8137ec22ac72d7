/**
 * Noise of a Plan by variance propagation.
 *
 * Every operation that adds noise is a source of independent errors with a known variance; how much of it reaches the outputs
 * depends on the weights and on the values that it meets at squares, not on the parameters. So the plan is walked backwards once, which
 * gives every node's gain, and the noise for any parameters is then a short sum. Variances are of the real part of a slot, in units of
 * the values.
 */

import { ERROR_VARIANCE, TERNARY_VARIANCE } from "../math/index.ts";
import type { RlweParameters } from "../rlwe/index.ts";
import { evaluateNodes } from "./clear.ts";
import { packInput, unpackOutput } from "./packing.ts";
import type { Plan } from "./plan.ts";
import type { Schedule } from "./schedule.ts";
import type { Tensor } from "./tensor.ts";

/** What calibration inputs and the plan's weights say about values and errors, by node. */
export interface PlanStatistics {
  /** Largest absolute slot value, over all slots (also those that hold no element). */
  readonly largest: Float64Array;
  /** Mean variance at the outputs, a unit of variance put into every slot of the node. */
  readonly gain: Float64Array;
  /** The same for plaintext rounding: a unit of variance in every slot of every weight vector of a `weightedSum`. */
  readonly weightGain: Float64Array;
  /** Median over the calibration inputs of the largest absolute output: what a relative precision refers to. */
  readonly typicalOutput: number;
}

/** Variance of a uniform rounding error. */
const ROUNDING = 1 / 12;

export function analysePlan(plan: Plan, calibration: readonly Tensor[]): PlanStatistics {
  const count = plan.nodes.length;
  const largest = new Float64Array(count);
  const meanSquares = plan.nodes.map(() => new Float64Array(plan.slots));
  const largestOutputs: number[] = [];
  for (const input of calibration) {
    const nodeValues = evaluateNodes(plan, packInput(plan.input, input));
    const outputs = unpackOutput(
      plan.output,
      plan.slots,
      plan.outputs.map((id) => nodeValues[id]),
    );
    largestOutputs.push(outputs.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
    for (const [id, values] of nodeValues.entries()) {
      const squares = meanSquares[id];
      for (let t = 0; t < plan.slots; t++) {
        const square = values[t] * values[t];
        squares[t] += square / calibration.length;
        if (square > largest[id]) largest[id] = square;
      }
    }
  }
  for (let id = 0; id < count; id++) largest[id] = Math.sqrt(largest[id]);
  const typicalOutput = largestOutputs.sort((left, right) => left - right)[largestOutputs.length >> 1];
  return { largest, ...propagateGains(plan, meanSquares), typicalOutput };
}

function propagateGains(
  plan: Plan,
  meanSquares: readonly Float64Array[],
): { gain: Float64Array; weightGain: Float64Array } {
  const { slots, nodes, output } = plan;
  const gain = new Float64Array(nodes.length);
  const weightGain = new Float64Array(nodes.length);
  const gains: (Float64Array | undefined)[] = new Array(nodes.length);
  const gainsOf = (id: number): Float64Array => {
    gains[id] ??= new Float64Array(slots);
    return gains[id];
  };
  for (const position of output.position) {
    const result = plan.outputs[Math.floor(position / slots)];
    gainsOf(result)[position % slots] += 1 / (output.factor ** 2 * output.position.length);
  }
  for (let id = nodes.length - 1; id >= 0; id--) {
    const own = gainsOf(id);
    gain[id] = own.reduce((sum, value) => sum + value, 0);
    const node = nodes[id];
    switch (node.op) {
      case "input":
        break;
      case "rotate": {
        const target = gainsOf(node.source);
        for (let t = 0; t < slots; t++) target[(t + node.steps) % slots] += own[t];
        break;
      }
      case "weightedSum":
        for (const { source, weights } of node.terms) {
          const target = gainsOf(source);
          const squares = meanSquares[source];
          for (let t = 0; t < slots; t++) {
            target[t] += weights[t] * weights[t] * own[t];
            weightGain[id] += squares[t] * own[t];
          }
        }
        break;
      case "add":
        addTo(gainsOf(node.left), own);
        addTo(gainsOf(node.right), own);
        break;
      case "square": {
        const target = gainsOf(node.source);
        const squares = meanSquares[node.source];
        for (let t = 0; t < slots; t++) target[t] += 4 * squares[t] * own[t];
        break;
      }
      default:
        addTo(gainsOf(node.source), own);
    }
    gains[id] = undefined;
  }
  return { gain, weightGain };
}

function addTo(target: Float64Array, values: Float64Array): void {
  for (let t = 0; t < values.length; t++) target[t] += values[t];
}

/** Coefficient variance that a rescale of two components adds: both are rounded, one is multiplied by the secret. */
export function rescaleVariance(ringDegree: number): number {
  return ROUNDING * (1 + TERNARY_VARIANCE * ringDegree);
}

/**
 * Coefficient variance that a key switch at this level adds: each digit, centred, times the key's errors, divided by P, then the
 * rounding of that division.
 */
export function keySwitchVariance(
  { ringDegree, dataPrimes, specialPrimes, digitPrimes = specialPrimes.length }: RlweParameters,
  level: number,
): number {
  const product = (primes: readonly number[]): number => primes.reduce((left, right) => left * right, 1);
  const special = product(specialPrimes);
  let digits = 0;
  for (let first = 0; first <= level; first += digitPrimes) {
    digits += (product(dataPrimes.slice(first, Math.min(first + digitPrimes, level + 1))) / special) ** 2;
  }
  return ringDegree * ERROR_VARIANCE * ROUNDING * digits + rescaleVariance(ringDegree);
}

/** Standard deviation of the error of an output, for fresh symmetric encryptions of the inputs. */
export function estimateNoise(
  plan: Plan,
  statistics: PlanStatistics,
  parameters: RlweParameters,
  { levels, scales, operandScales }: Schedule,
): number {
  const rescaling = rescaleVariance(parameters.ringDegree);
  const switching = parameters.dataPrimes.map((_, level) => keySwitchVariance(parameters, level));
  let variance = 0;
  for (const [id, { op }] of plan.nodes.entries()) {
    // A slot is a sum over the 2 * slots coefficients of its subring, half of whose variance is in the real part.
    const slotVariance = (coefficient: number, scale: number): number => (coefficient * plan.slots) / scale ** 2;
    const gain = statistics.gain[id];
    if (op === "input") variance += gain * slotVariance(ERROR_VARIANCE + ROUNDING, scales[id]);
    if (op === "rotate" || op === "relinearize") variance += gain * slotVariance(switching[levels[id]], scales[id]);
    if (op === "rescale") variance += gain * slotVariance(rescaling, scales[id]);
    if (op === "addPlain") variance += gain * slotVariance(ROUNDING, scales[id]);
    if (op === "weightedSum") variance += statistics.weightGain[id] * slotVariance(ROUNDING, operandScales[id]);
  }
  return Math.sqrt(variance);
}
