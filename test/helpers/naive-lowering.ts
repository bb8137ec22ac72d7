import {
  type AffineMap,
  type DiagonalTerm,
  flatLayout,
  type LoweredAffine,
  type LoweredNetwork,
  type LoweredStage,
  packingOf,
} from "../../src/plan/index.ts";

/** The textbook lowering of an affine map on flat layouts in one ciphertext: one diagonal a difference, one giant step for each multiple of `giant`. */
export function naiveAffine(map: AffineMap, slots: number, layer: number, giant = slots): LoweredAffine {
  const diagonals = new Map<number, Float64Array>();
  for (let row = 0; row < map.bias.length; row++) {
    for (let k = map.rowStart[row]!; k < map.rowStart[row + 1]!; k++) {
      const difference = (map.column[k]! - row + slots) % slots;
      const weights = diagonals.get(difference) ?? new Float64Array(slots);
      weights[row] = map.weight[k]!;
      diagonals.set(difference, weights);
    }
  }
  const byGiant = new Map<number, DiagonalTerm[]>();
  for (const [difference, weights] of diagonals) {
    const baby = difference % giant;
    const shift = difference - baby;
    // rotate(w * x, g) = rotate(w, g) * rotate(x, g): the weights are turned back before the product.
    const turned = weights.map((_, t) => weights[(t - shift + slots) % slots]!);
    byGiant.set(shift, [...(byGiant.get(shift) ?? []), { input: 0, baby, weights: turned }]);
  }
  const bias = new Float64Array(slots);
  bias.set(map.bias);
  return {
    kind: "affine",
    layers: [layer, layer],
    sources: [layer],
    input: flatLayout(map.inputShape, slots),
    output: flatLayout(map.outputShape, slots),
    transforms: [[...byGiant].map(([shift, terms]) => ({ giant: shift, terms }))],
    folds: [],
    bias: [bias],
  };
}

/** A network of stages on flat layouts. */
export function naiveNetwork(slots: number, stages: readonly LoweredStage[]): LoweredNetwork {
  const layouts = stages.map((stage) =>
    stage.kind === "square" ? [stage.layout, stage.layout] : [stage.input, stage.output],
  );
  return {
    slots,
    input: packingOf(layouts[0]![0]!),
    stages,
    output: layouts[layouts.length - 1]![1]!,
    outputFactor: 1,
  };
}
