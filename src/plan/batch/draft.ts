/** A network as stages before its numbers are chosen: real weights, neighbouring affine maps fused where that saves products. */

import { MAX_DOT_PRODUCT_TERMS } from "../../math/index.ts";
import { type AffineMap, composeAffine, identityAffine, nonzeros } from "../affine-map.ts";
import type { StepAlgebra } from "../layer.ts";
import type { LayerRange } from "../plan.ts";
import type { Shape } from "../tensor.ts";

/** A step under its layer's number in the source model. */
export interface BatchStep {
  readonly index: number;
  readonly algebra: StepAlgebra;
}

/** An affine map; one whose weights are all `equal` and that has no bias is a pool. */
export interface DraftMap {
  readonly kind: "map";
  readonly layers: LayerRange;
  readonly map: AffineMap;
  /** The weight that all entries have, a positive number, or undefined. */
  readonly equal: number | undefined;
  /** Largest absolute weight, and the largest sum of a row's absolute weights. */
  readonly largest: number;
  readonly largestSum: number;
}

export type DraftStage = DraftMap | { readonly kind: "square"; readonly layers: LayerRange };

/**
 * What happens between two tensors that are kept: at most one map, then a square, then a pool of what was squared, of at most
 * {@link MAX_DOT_PRODUCT_TERMS} elements.
 */
export interface DraftSpan {
  readonly map: DraftMap | undefined;
  readonly square: LayerRange | undefined;
  readonly pool: DraftMap | undefined;
}

export interface BatchDraft {
  readonly inputShape: Shape;
  readonly spans: readonly DraftSpan[];
  readonly outputShape: Shape;
}

/** A pool whose windows overlap more than this would square elements again and again: it gets a span of its own. */
const LARGEST_OVERLAP = 1.5;
/** Products that finding a fused map may take. */
const FUSION_PRODUCTS = 32_000_000;

/** Drafts a network, given as its layers' algebra. */
export function draftBatch(steps: readonly BatchStep[], inputShape: Shape): BatchDraft {
  const stages: DraftStage[] = [];
  let outputShape = inputShape;
  for (const { index, algebra } of steps) {
    const layers: LayerRange = [index, index];
    if (algebra.kind === "square") {
      stages.push({ kind: "square", layers });
      continue;
    }
    outputShape = algebra.map.outputShape;
    if (!isReshape(algebra.map)) push(stages, draftMap(layers, algebra.map));
  }
  if (stages.length === 0) {
    const layers: LayerRange = [steps[0]?.index ?? 0, steps.at(-1)?.index ?? 0];
    stages.push(draftMap(layers, identityAffine(inputShape)));
  }
  return { inputShape, spans: spansOf(stages), outputShape };
}

function draftMap(layers: LayerRange, map: AffineMap): DraftMap {
  const [first] = map.weight;
  const pool = first > 0 && map.weight.every((weight) => weight === first) && map.bias.every((bias) => bias === 0);
  // A row without entries is the constant 0, which no sum of ciphertexts gives.
  const full = map.rowStart.every((start, row) => row === 0 || start > map.rowStart[row - 1]);
  const largest = map.weight.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
  let largestSum = 0;
  for (let row = 0; row < map.bias.length; row++) {
    let sum = 0;
    for (let k = map.rowStart[row]; k < map.rowStart[row + 1]; k++) sum += Math.abs(map.weight[k]);
    largestSum = Math.max(largestSum, sum);
  }
  return { kind: "map", layers, map, equal: pool && full ? first : undefined, largest, largestSum };
}

function isReshape({ rowStart, column, weight, bias }: AffineMap): boolean {
  return (
    column.length === bias.length &&
    column.every((at, row) => at === row && rowStart[row] === row) &&
    weight.every((value) => value === 1) &&
    bias.every((value) => value === 0)
  );
}

/** Appends a map, or fuses it with the one before it. */
function push(stages: DraftStage[], next: DraftMap): void {
  const previous = stages.at(-1);
  if (previous?.kind === "map") {
    // A pool behind a square costs nothing, so nothing is gained by taking it into what follows.
    const free = previous.equal !== undefined && stages.at(-2)?.kind === "square" && next.equal === undefined;
    const separate = nonzeros(next.map) + (free ? 0 : nonzeros(previous.map));
    // Shapes between them may differ where only a reshape stood there.
    const first = { ...previous.map, outputShape: next.map.inputShape };
    const map = composeAffine(next.map, first, { nonzeros: separate, products: FUSION_PRODUCTS });
    if (map) {
      stages[stages.length - 1] = draftMap([previous.layers[0], next.layers[1]], map);
      return;
    }
  }
  stages.push(next);
}

function spansOf(stages: readonly DraftStage[]): DraftSpan[] {
  const spans: DraftSpan[] = [];
  for (let at = 0; at < stages.length; ) {
    const take = <K extends DraftStage["kind"]>(kind: K): Extract<DraftStage, { kind: K }> | undefined => {
      const stage = stages[at];
      if (stage?.kind !== kind) return undefined;
      at++;
      return stage as Extract<DraftStage, { kind: K }>;
    };
    const map = take("map");
    const square = take("square");
    const follower = stages[at];
    const pools = square !== undefined && follower?.kind === "map" && isCheapPool(follower);
    spans.push({ map, square: square?.layers, pool: pools ? take("map") : undefined });
  }
  return spans;
}

function isCheapPool({ map, equal }: DraftMap): boolean {
  const widest = map.bias.reduce((most, _, row) => Math.max(most, map.rowStart[row + 1] - map.rowStart[row]), 0);
  const overlap = nonzeros(map) / new Set(map.column).size;
  return equal !== undefined && overlap <= LARGEST_OVERLAP && widest <= MAX_DOT_PRODUCT_TERMS;
}
