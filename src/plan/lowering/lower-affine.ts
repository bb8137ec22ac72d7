/** From a decision to weights: the diagonals of an affine map, arranged for baby steps and giant steps. */

import type { AffineMap } from "../affine-map.ts";
import { type Layout, modulo, spreadValues } from "../layout.ts";
import type { DiagonalTerm, GiantStep, LoweredAffine } from "../lowered.ts";
import type { SlotCosts } from "../slot-cost.ts";
import type { Shape } from "../tensor.ts";
import { type AffineChoice, createLoweringCache, polishChoice, visitChoices } from "./affine-choice.ts";
import { stepsOf } from "./baby-giant.ts";
import { inputParts } from "./geometry.ts";
import { pricesAt } from "./prices.ts";

export interface ChooseAffineOptions {
  readonly costs: SlotCosts;
  /** Rescales to come, this map's own included. */
  readonly level: number;
  /** Shapes of the inputs, where the map reads several; their columns stand one after the other. */
  readonly inputShapes?: readonly Shape[];
}

/** Where a stage stands among the others, and what it has to put right. */
export interface StageOptions extends Pick<LoweredAffine, "layers" | "sources"> {
  /** By input ciphertext: its slots hold so many times the true values. Outputs come out true. */
  readonly factors: readonly number[];
}

/**
 * The cheapest way to lower one map onto the layout that its input has.
 *
 * @throws RangeError when the layout holds another number of elements than the map has columns.
 */
export function chooseAffine(map: AffineMap, input: Layout, options: ChooseAffineOptions): AffineChoice {
  const { costs, level, inputShapes = [map.inputShape] } = options;
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
      parts: inputParts(inputShapes),
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
  return polishChoice(best!, prices, owned);
}

/** The weights and biases of a decided lowering. */
export function materialize(choice: AffineChoice, { layers, sources, factors }: StageOptions): LoweredAffine {
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
      const inputCiphertext = (virtual - columnSlot) / slots;
      const pair = outputCiphertext * inputs + inputCiphertext;
      const weight = map.weight[k] / factors[inputCiphertext];
      for (const replica of rowReplicas) {
        const place = finders[pair](modulo(columnSlot - rowSlot - replica, slots));
        diagonals[pair].get(place.diagonal)![(rowSlot + replica + place.fold) % slots] = weight;
      }
    }
  }
  const transforms = Array.from({ length: outputs }, (_, ciphertext) =>
    arrange(choice, diagonals.slice(ciphertext * inputs, (ciphertext + 1) * inputs)),
  );
  return { kind: "affine", layers, sources, input, output, transforms, folds, bias: spreadValues(map.bias, output) };
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
