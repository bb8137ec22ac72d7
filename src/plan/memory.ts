/** What an evaluator's heap holds for a plan: keys, weights, tables, and the values of one evaluation. */

import type { RlweParameters } from "../rlwe/index.ts";
import { programBytes } from "./encrypted.ts";
import { planHoisting } from "./hoisting.ts";
import { countUses, type Plan, sourcesOf } from "./plan.ts";
import { type KeyDemand, keyLevels, type Schedule } from "./schedule.ts";

/** Bytes. Keys and tables are there once for all segments of a network. */
export interface HeapEstimate {
  /** Evaluation keys, both halves expanded. */
  readonly keys: number;
  /** Encoded weights of all plans. */
  readonly weights: number;
  /** Roots of unity and permutations, with the WebAssembly kernels. */
  readonly tables: number;
  /** The most that ciphertexts, decompositions and scratch take at any time of one evaluation. */
  readonly values: number;
  readonly total: number;
}

const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;
/** Of a prime: roots and inverse roots, each with quotients. */
const TABLE_LISTS = 4;
/** Limbs of scratch for a transform (`rlwe/linear-transform`): both components of eight rotations. */
const TRANSFORM_SCRATCH = 16;

/** @param segments One a plan, with its schedule. */
export function estimateHeap(
  segments: readonly { readonly plan: Plan; readonly schedule: Schedule }[],
  parameters: RlweParameters,
  demand: KeyDemand,
): HeapEstimate {
  const { ringDegree, dataPrimes, specialPrimes, digitPrimes = specialPrimes.length } = parameters;
  const limb = ringDegree * WORD_BYTES;
  const keyLimbs = keyLevels(demand).reduce(
    (sum, level) => sum + 2 * Math.ceil((level + 1) / digitPrimes) * (level + 1 + specialPrimes.length),
    0,
  );
  const weights = segments.reduce((sum, { plan, schedule }) => sum + programBytes(plan, schedule, parameters), 0);
  // A permutation moves four values at a time.
  const permutations = (demand.rotations.length * limb) / 4;
  const tables = TABLE_LISTS * (dataPrimes.length + specialPrimes.length) * limb + permutations;
  const values = limb * Math.max(0, ...segments.map(({ plan, schedule }) => peakLimbs(plan, parameters, schedule)));
  const keys = keyLimbs * limb;
  return { keys, weights, tables, values, total: keys + weights + tables + values };
}

/** Walks through a plan as the interpreter does, which frees every value at its last use. */
function peakLimbs(
  plan: Plan,
  { specialPrimes, digitPrimes = specialPrimes.length }: RlweParameters,
  schedule: Schedule,
): number {
  const { nodes } = plan;
  const { levels } = schedule;
  const { rotations, raised, transforms, transformed } = planHoisting(plan);
  const uses = countUses(plan);
  const held = new Float64Array(nodes.length);
  let live = 0;
  let peak = 0;
  const size = (id: number, whole: boolean): number => 2 * (levels[id] + 1 + (whole ? specialPrimes.length : 0));
  const make = (id: number, limbs: number): void => {
    held[id] += limbs;
    live += limbs;
    peak = Math.max(peak, live);
  };
  const release = (id: number): void => {
    uses[id]--;
    if (uses[id] > 0) return;
    live -= held[id];
    held[id] = 0;
  };
  const scratch = (limbs: number): void => {
    peak = Math.max(peak, live + limbs);
  };
  /** The digits of a node, with what they are made from. */
  const digitsOf = (id: number): number => {
    const whole = levels[id] + 1 + specialPrimes.length;
    return Math.ceil((levels[id] + 1) / digitPrimes) * whole + 2 * whole + levels[id] + 1;
  };
  for (const [id, node] of nodes.entries()) {
    const limbs = size(id, raised[id] === 1);
    const passedOver = node.op === "rotate" && transformed[id] === 1;
    switch (node.op) {
      case "rotate": {
        const group = rotations.get(node.source);
        if (passedOver || group?.[0] !== id) break;
        for (const each of group) make(each, size(each, true));
        scratch(digitsOf(node.source));
        break;
      }
      case "weightedSum": {
        const transform = transforms.get(id);
        for (const sum of transform?.sums ?? []) make(sum, size(sum, true));
        if (transform) {
          scratch(transform.sources.reduce((sum, { node: source }) => sum + digitsOf(source), TRANSFORM_SCRATCH));
          for (const each of transform.rotations) for (const source of sourcesOf(nodes[each])) release(source);
        } else if (!transformed[id]) {
          make(id, limbs);
        }
        break;
      }
      case "square":
        make(id, (3 * limbs) / 2);
        break;
      case "relinearize":
        make(id, limbs);
        scratch(digitsOf(node.source));
        break;
      case "rescale":
        // What is lifted from the dropped primes.
        make(id, limbs);
        scratch(size(node.source, raised[node.source] === 1));
        break;
      default:
        make(id, limbs);
    }
    if (!passedOver) for (const source of sourcesOf(node)) release(source);
  }
  return peak;
}
