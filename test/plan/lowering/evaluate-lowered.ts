/** A lowered network run on plain slots, by the definitions in `lowered.ts` and nothing cleverer. */

import {
  type GiantStep,
  type LoweredNetwork,
  type LoweredStage,
  packSlots,
  unpackSlots,
} from "../../../src/plan/index.ts";

/** The true outputs for the true inputs. */
export function evaluateLowered(lowered: LoweredNetwork, input: Float64Array): Float64Array {
  const slots = lowered.stages.reduce(runStage, packSlots(lowered.input, input));
  return unpackSlots(lowered.output, slots).map((value) => value / lowered.outputFactor);
}

/** One stage on the slot values of each ciphertext. */
export function runStage(inputs: Float64Array[], stage: LoweredStage): Float64Array[] {
  switch (stage.kind) {
    case "square":
      return inputs.map((slots) => slots.map((value) => value * value));
    case "pool":
      return stage.sums.map((summed) => fold(summed.map((index) => inputs[index]!).reduce(add), stage.folds));
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
