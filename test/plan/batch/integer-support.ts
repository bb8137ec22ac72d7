/** Small networks on integers, at parameters that are insecure on purpose. */

import type { BfvCiphertext } from "../../../src/bfv/index.ts";
import { findNttPrimes } from "../../../src/math/index.ts";
import { createOwner, type IntegerOwner, type OwnerOptions } from "../../../src/owner/index.ts";
import {
  analyseDraft,
  type BatchPlan,
  type BatchProgram,
  boundOutputs,
  createIntegerBatchOperations,
  demandBatchKeys,
  hashBatchPlan,
  type IntegerManifest,
  type IntegerSegment,
  integerPlan,
  prepareBatchProgram,
  runBatch,
  scheduleBatch,
  type Tensor,
  withDrops,
} from "../../../src/plan/index.ts";
import { freeCiphertext, type RlweParameters } from "../../../src/rlwe/index.ts";
import { NETWORKS } from "./networks.ts";
import { DEGREE, draftLayers, randomTensors, toyChain } from "./support.ts";

export interface IntegerRun {
  readonly owner: IntegerOwner;
  readonly manifest: IntegerManifest;
  readonly segment: IntegerSegment;
  readonly programs: readonly BatchProgram<BfvCiphertext<"ntt">>[];
  /** One list a plain modulus. */
  evaluate(images: readonly Tensor[]): BfvCiphertext<"ntt">[][];
}

/** Primes for batching of these bit lengths, none of which is one of the chain's. */
export function plainPrimes(bits: readonly number[], { dataPrimes, specialPrimes }: RlweParameters): number[] {
  return findNttPrimes(DEGREE, bits, [...dataPrimes, ...specialPrimes]);
}

/** As few primes of at most 17 bits as tell so many integers apart, the last one as small as can be. */
export function leastModuli(span: bigint, parameters: RlweParameters): number[] {
  for (let count = 1; ; count++) {
    for (let bits = 14; bits <= 17; bits++) {
      const lengths = [...new Array<number>(count - 1).fill(17), bits];
      const moduli = plainPrimes(lengths, parameters);
      if (moduli.reduce((product, prime) => product * BigInt(prime), 1n) >= span) return moduli;
    }
  }
}

export interface IntegerNetwork {
  readonly plan: BatchPlan;
  readonly inputScale: number;
  readonly range: readonly [low: number, high: number];
}

export function integerManifest(
  { plan, inputScale, range }: IntegerNetwork,
  parameters: RlweParameters,
  plainModuli: readonly number[],
): IntegerManifest {
  const inputLevel = parameters.dataPrimes.length - 1;
  const schedule = scheduleBatch(plan, parameters, { level: inputLevel, scale: inputScale });
  const last = schedule[schedule.length - 1]!;
  const { low, high } = boundOutputs(plan, inputScale, range);
  return {
    scheme: "bfv",
    packing: "batch",
    parameters,
    plainModuli,
    productTerms: 8,
    keys: demandBatchKeys(plan, schedule),
    segments: [
      {
        hash: hashBatchPlan(plan),
        inputShape: plan.inputShape,
        range,
        inputLevel,
        inputScale,
        outputShape: plan.outputShape,
        outputLevel: last.level,
        outputScale: last.scale,
        outputComponents: last.components,
        outputBounds: [String(low), String(high)],
      },
    ],
    capacity: parameters.ringDegree,
  };
}

export async function openIntegers(
  network: IntegerNetwork,
  parameters: RlweParameters,
  plainModuli: readonly number[],
  options: OwnerOptions = {},
): Promise<IntegerRun> {
  const manifest = integerManifest(network, parameters, plainModuli);
  const segment = manifest.segments[0]!;
  const owner = await createOwner(manifest, options);
  const programs = owner.evaluators.map((evaluator) =>
    prepareBatchProgram(network.plan, createIntegerBatchOperations(network.plan, evaluator, segment)),
  );
  return {
    owner,
    manifest,
    segment,
    programs,
    evaluate: (images) =>
      programs.map((program, i) =>
        runBatch(program, owner.encryptBatch(segment, images, i), { onInputDone: freeCiphertext }),
      ),
  };
}

/** Six primes and one special. */
export const CHAIN: RlweParameters = toyChain([30, 30, 30, 30, 30, 30], [30]);

/** By network: primes dropped behind each square, and behind everything. */
const DROPS = [[1, 1, 1], [2, 1], [0, 2, 1], [1, 1], [2, 0, 1], [3]];

/** A network of `NETWORKS`, by its index, with weights of so many bits and inputs in [-1, 1]. */
export function networkFor(index: number, bits: number, inputScale: number): IntegerNetwork {
  const [, layers, shape] = NETWORKS[index]!;
  const { draft } = draftLayers(layers, shape);
  const { means } = analyseDraft(draft, randomTensors(3, shape, 3));
  const plan = integerPlan(
    draft,
    draft.spans.map(() => bits),
    means,
  );
  return { plan: withDrops(plan, DROPS[index]!), inputScale, range: [-1, 1] };
}

/** y = w x + b on integers as they are. */
export function affinePlan(weight: readonly (readonly number[])[], bias: readonly number[]): BatchPlan {
  const columns = weight[0]!.length;
  return {
    inputShape: [columns],
    stages: [
      {
        op: "affine",
        layers: [0, 0],
        rowStart: Int32Array.from([...weight, []], (_, row) => row * columns),
        column: Int32Array.from(weight.flatMap((row) => row.map((_, column) => column))),
        weight: Int32Array.from(weight.flat()),
        weightScale: 1,
        bias: Float64Array.from(bias),
      },
    ],
    outputShape: [weight.length],
  };
}
