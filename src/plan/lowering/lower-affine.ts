/** From a decision to weights: the diagonals of an affine map, arranged for baby steps and giant steps. */

import type { AffineMap } from "../affine-map.ts";
import { type Layout, modulo } from "../layout.ts";
import type { DiagonalTerm, GiantStep, LoweredAffine } from "../lowered.ts";
import type { SlotCosts } from "../slot-cost.ts";
import { type AffineChoice, createLoweringCache, polishChoice, visitChoices } from "./affine-choice.ts";
import { stepsOf } from "./baby-giant.ts";
import { pricesAt } from "./prices.ts";

export interface LowerAffineOptions {
  readonly costs: SlotCosts;
  /** Rescales to come, this map's own included. */
  readonly level: number;
  /** First and last source layer; [0, 0] where omitted. */
  readonly layers?: readonly [first: number, last: number];
}

/**
 * Lowers one map onto the layout that its input has, with the cheapest output layout.
 *
 * @throws RangeError when the layout holds another number of elements than the map has columns.
 */
export function lowerAffine(map: AffineMap, input: Layout, options: LowerAffineOptions): LoweredAffine {
  const { costs, level, layers = [0, 0] } = options;
  const columns = map.inputShape.reduce((product, size) => product * size, 1);
  if (input.position.length !== columns) {
    throw new RangeError(`input must hold the ${columns} elements that the map takes, got ${input.position.length}`);
  }
  const prices = pricesAt(costs, level);
  const owned = new Set<number>();
  let best: AffineChoice | undefined;
  visitChoices(
    {
      map,
      input: { ...input, shape: map.inputShape },
      prices,
      foldPrices: pricesAt(costs, Math.max(0, level - 1)),
      ciphertexts: Math.max(input.ciphertexts, Math.ceil(map.bias.length / input.slots)),
      owned,
      cache: createLoweringCache(),
    },
    () => best?.price ?? Number.POSITIVE_INFINITY,
    (choice) => {
      if (best === undefined || choice.price < best.price) best = choice;
    },
  );
  // Dense layouts fit any map, so something has been found.
  return materialize(polishChoice(best!, prices, owned), layers, 1);
}

/**
 * The weights and biases of a decided lowering.
 *
 * @param factor the input's slots hold `factor` times the true values; outputs come out true.
 */
export function materialize(
  choice: AffineChoice,
  layers: readonly [first: number, last: number],
  factor: number,
): LoweredAffine {
  const { map, input, output, sets, folds, rowReplicas } = choice;
  const { slots, inputs, outputs } = sets;
  const diagonals = sets.lists.map((list) => new Map<number, Float64Array>(diagonalEntries(list, slots)));
  const finders = sets.lists.map((list) => placeFinder(choice, list));
  for (let row = 0; row < map.bias.length; row++) {
    const rowSlot = output.position[row] % slots;
    const outputCiphertext = (output.position[row] - rowSlot) / slots;
    for (let k = map.rowStart[row]; k < map.rowStart[row + 1]; k++) {
      const virtual = input.position[map.column[k]];
      const columnSlot = virtual % slots;
      const pair = outputCiphertext * inputs + (virtual - columnSlot) / slots;
      const weight = map.weight[k] / factor;
      for (const replica of rowReplicas) {
        const place = finders[pair](modulo(columnSlot - rowSlot - replica, slots));
        diagonals[pair].get(place.diagonal)![(rowSlot + replica + place.fold) % slots] = weight;
      }
    }
  }
  const transforms = Array.from({ length: outputs }, (_, ciphertext) =>
    arrange(choice, diagonals.slice(ciphertext * inputs, (ciphertext + 1) * inputs)),
  );
  return { kind: "affine", layers, input, output, transforms, folds, bias: spreadBias(map, output, slots) };
}

function* diagonalEntries(list: Int32Array, slots: number): Generator<[number, Float64Array]> {
  for (const diagonal of list) yield [diagonal, new Float64Array(slots)];
}

/** Which diagonal and which fold offset bring together a row and a column this many slots apart: the first that do. */
function placeFinder(
  { input, sets, split, foldOffsets }: AffineChoice,
  list: Int32Array,
): (difference: number) => { diagonal: number; fold: number } {
  const { slots } = sets;
  const isReplica = new Uint8Array(slots);
  for (const offset of input.replicas) isReplica[offset] = 1;
  const rotations = Array.from(list, (diagonal) => {
    const { baby, giant } = stepsOf(diagonal, sets, split);
    return { diagonal, rotation: baby + giant };
  });
  const known = new Map<number, { diagonal: number; fold: number }>();
  return (difference) => {
    const found = known.get(difference);
    if (found !== undefined) return found;
    for (const { diagonal, rotation } of rotations) {
      for (const fold of foldOffsets) {
        if (isReplica[modulo(rotation + fold - difference, slots)] === 0) continue;
        const place = { diagonal, fold };
        known.set(difference, place);
        return place;
      }
    }
    throw new Error(`no diagonal serves the difference ${difference}`);
  };
}

/** The diagonals of one output ciphertext by giant step, each shifted so that the giant rotation undoes it. */
function arrange({ sets, split }: AffineChoice, diagonals: readonly Map<number, Float64Array>[]): GiantStep[] {
  const { slots } = sets;
  const byGiant = new Map<number, DiagonalTerm[]>();
  for (const [input, weightsOf] of diagonals.entries()) {
    for (const [diagonal, weights] of weightsOf) {
      const { baby, giant } = stepsOf(diagonal, sets, split);
      const shifted = giant === 0 ? weights : new Float64Array(slots);
      if (giant !== 0) {
        shifted.set(weights.subarray(0, slots - giant), giant);
        shifted.set(weights.subarray(slots - giant), 0);
      }
      const terms = byGiant.get(giant);
      if (terms === undefined) byGiant.set(giant, [{ input, baby, weights: shifted }]);
      else terms.push({ input, baby, weights: shifted });
    }
  }
  // A ciphertext whose rows have no entries still has to exist, for its bias.
  if (byGiant.size === 0) byGiant.set(0, [{ input: 0, baby: 0, weights: new Float64Array(slots) }]);
  return [...byGiant].sort(([left], [right]) => left - right).map(([giant, terms]) => ({ giant, terms }));
}

function spreadBias(map: AffineMap, output: Layout, slots: number): Float64Array[] {
  const bias = Array.from({ length: output.ciphertexts }, () => new Float64Array(slots));
  for (let row = 0; row < map.bias.length; row++) {
    const slot = output.position[row] % slots;
    const target = bias[(output.position[row] - slot) / slots];
    for (const replica of output.replicas) target[(slot + replica) % slots] = map.bias[row];
  }
  return bias;
}
