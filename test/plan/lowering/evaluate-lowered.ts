/** A lowered network run on plain slots, by the definitions in `lowered.ts` and nothing cleverer. */

import {
  type AffineMap,
  type ChooseAffineOptions,
  chooseAffine,
  type GiantStep,
  type Layout,
  type LoweredAffine,
  type LoweredNetwork,
  type LoweredPool,
  type LoweredStage,
  lowerDecisions,
  type PoolChoice,
  packSlots,
  unpackSlots,
} from "../../../src/plan/index.ts";

/** The true outputs for the true inputs. */
export function evaluateLowered(lowered: LoweredNetwork, input: Float64Array): Float64Array {
  const values = [packSlots(lowered.input, input)];
  for (const stage of lowered.stages)
    values.push(
      runStage(
        stage.sources.flatMap((value) => values[value]!),
        stage,
      ),
    );
  return unpackSlots(lowered.output, values.at(-1)!).map((value) => value / lowered.outputFactor);
}

/** The cheapest lowering of one map. */
export function lowerAffine(map: AffineMap, input: Layout, options: ChooseAffineOptions): LoweredAffine {
  const choice = chooseAffine(map, input, options);
  const place = { layers: [0, 0], sources: [0] } as const;
  const [stage] = lowerDecisions([{ kind: "affine", ...place, choice }], { factor: 1, ...input }).stages;
  return stage as LoweredAffine;
}

/** @param factor the input's slots hold so many times the true values. */
export function lowerPool(choice: PoolChoice, factor = 1): LoweredPool {
  const place = { layers: [0, 0], sources: [0] } as const;
  const input = { factor, ciphertexts: choice.input.ciphertexts };
  const [stage] = lowerDecisions([{ kind: "pool", ...place, choice }], input).stages;
  return stage as LoweredPool;
}

/** One stage on the slot values of each ciphertext of what it reads. */
export function runStage(inputs: Float64Array[], stage: LoweredStage): Float64Array[] {
  switch (stage.kind) {
    case "square":
      return inputs.map((slots) => slots.map((value) => value * value));
    case "pool":
      return stage.sums.map((summed, i) =>
        add(fold(summed.map((index) => inputs[index]!).reduce(add), stage.folds), stage.bias[i]!),
      );
    case "affine":
      return stage.transforms.map((giants, i) => add(fold(transform(inputs, giants), stage.folds), stage.bias[i]!));
  }
}

function transform(inputs: Float64Array[], giants: readonly GiantStep[]): Float64Array {
  return giants
    .map(({ giant, terms }) =>
      rotate(
        terms.map(({ input, baby, weights }) => multiply(rotate(inputs[input]!, baby), weights)).reduce(add),
        giant,
      ),
    )
    .reduce(add);
}

function fold(slots: Float64Array, rounds: readonly (readonly number[])[]): Float64Array {
  return rounds.reduce((sum, steps) => steps.map((step) => rotate(sum, step)).reduce(add, sum), slots);
}

function rotate(x: Float64Array, steps: number): Float64Array {
  return x.map((_, t) => x[(t + steps) % x.length]!);
}

function add(left: Float64Array, right: Float64Array): Float64Array {
  return left.map((value, t) => value + right[t]!);
}

function multiply(left: Float64Array, right: Float64Array): Float64Array {
  return left.map((value, t) => value * right[t]!);
}
