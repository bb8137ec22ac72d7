/** A network as a graph of squares and affine maps, with the maps that fusing neighbours gives. */

import { type AffineMap, affineMap, composeAffine, identityAffine, type Shape, sizeOf } from "../../plan/index.ts";
import type { NetworkStep } from "../network.ts";

/** More entries, or products to find them, make a fused map slower to search than it could save. */
const FUSION_LIMIT = { nonzeros: 4_000_000, products: 32_000_000 };

export type LayerRange = readonly [first: number, last: number];

/** What a link or a group reads: 0 is the network's input, k the result of the k-th link, counted from 1. */
interface Reader {
  readonly inputs: readonly number[];
  readonly layers: LayerRange;
}

/** A square, or an affine map of one or several inputs. Maps that change nothing but the shape are none. */
export type Link = Reader &
  (
    | { readonly kind: "square" }
    | { readonly kind: "affine"; readonly map: AffineMap; readonly inputShapes: readonly Shape[] }
  );

/** The links `start` … `end - 1` as one map, of which the last one's result alone is needed elsewhere. */
export interface AffineGroup extends Reader {
  readonly start: number;
  readonly end: number;
  readonly map: AffineMap;
  /** Of the inputs, one by one. */
  readonly inputShapes: readonly Shape[];
}

/** A network in an order in which it can run. */
export interface NetworkGraph {
  readonly links: readonly Link[];
  /** By boundary (before each link, and after the last): the values that are needed from there on, ascending. */
  readonly live: readonly (readonly number[])[];
  readonly outputShape: Shape;
}

/** One value, or several that a concatenation puts together without doing anything. */
interface Alias {
  readonly values: readonly number[];
  readonly shapes: readonly Shape[];
  /** The first of the layers that did nothing but this, and belong to whoever reads it. */
  readonly since?: number | undefined;
}

/** Steps become links, those first that a later one needs last; steps that nothing needs are left out. */
export function graphOf(steps: readonly NetworkStep[], inputShape: Shape): NetworkGraph {
  const links: Link[] = [];
  const known: (Alias | undefined)[] = new Array(steps.length + 1);
  known[0] = { values: [0], shapes: [inputShape] };

  function aliasOf(value: number): Alias {
    known[value] ??= follow(steps[value - 1], steps[value - 1].inputs.map(aliasOf));
    return known[value];
  }

  function push(link: Link, shape: Shape): Alias {
    return { values: [links.push(link)], shapes: [shape] };
  }

  function follow({ index, algebra }: NetworkStep, sources: readonly Alias[]): Alias {
    const inputs = sources.flatMap(({ values }) => values);
    const shapes = sources.flatMap((source) => source.shapes);
    const since = sources.find((source) => source.since !== undefined)?.since ?? index;
    if (algebra.kind === "square") {
      const squares = inputs.map((input, i) =>
        push({ kind: "square", inputs: [input], layers: [index, index] }, shapes[i]),
      );
      return { values: squares.flatMap(({ values }) => values), shapes };
    }
    const { map } = algebra;
    if (isIdentity(map)) {
      // Of two shapes of one tensor, the image says more about its neighbourhoods.
      const image = inputs.length === 1 && map.outputShape.length === 3;
      return { values: inputs, shapes: image ? [map.outputShape] : shapes, since };
    }
    return push({ kind: "affine", inputs, layers: [since, index], map, inputShapes: shapes }, map.outputShape);
  }

  const result = aliasOf(steps.length);
  const outputShape = shapeOf(steps, inputShape, steps.length);
  if (result.values.length > 1) {
    const index = steps[steps.length - 1].index;
    const map = identityAffine([sizeOf(outputShape)], outputShape);
    push(
      { kind: "affine", inputs: result.values, layers: [index, index], map, inputShapes: result.shapes },
      outputShape,
    );
  }
  return { links, live: liveValues(links), outputShape };
}

/** Squares keep the shape of what they read. */
function shapeOf(steps: readonly NetworkStep[], inputShape: Shape, value: number): Shape {
  let at = value;
  while (at > 0) {
    const { algebra, inputs } = steps[at - 1];
    if (algebra.kind === "affine") return algebra.map.outputShape;
    at = inputs[0];
  }
  return inputShape;
}

function isIdentity({ rowStart, column, weight, bias }: AffineMap): boolean {
  return (
    column.length === bias.length &&
    column.every((at, row) => at === row && rowStart[row] === row) &&
    weight.every((value) => value === 1) &&
    bias.every((value) => value === 0)
  );
}

function liveValues(links: readonly Link[]): number[][] {
  const needed = new Set([links.length]);
  const live = [[links.length]];
  for (let at = links.length - 1; at >= 0; at--) {
    needed.delete(at + 1);
    for (const input of links[at].inputs) needed.add(input);
    live.unshift([...needed].sort((left, right) => left - right));
  }
  return live;
}

/** A value within a run of affine links, as a map of what stands before the run. */
interface Expression {
  readonly inputs: readonly number[];
  readonly inputShapes: readonly Shape[];
  readonly map: AffineMap;
}

/** By first link: every run of affine links that may be fused, shortest first. */
export function affineGroups({ links, live }: NetworkGraph): AffineGroup[][] {
  return links.map((_, start) => {
    const groups: AffineGroup[] = [];
    const inRun = new Map<number, Expression>();
    for (let end = start + 1; ; end++) {
      const link = links[end - 1];
      if (link?.kind !== "affine") return groups;
      const expression = express(link, inRun);
      if (expression === undefined) return groups;
      inRun.set(end, expression);
      const alone = live[end].every((value) => value === end || !inRun.has(value));
      const layers: LayerRange = [
        Math.min(...links.slice(start, end).map((each) => each.layers[0])),
        Math.max(...links.slice(start, end).map((each) => each.layers[1])),
      ];
      if (alone && readsAll(links, start, end)) groups.push({ start, end, layers, ...expression });
    }
  });
}

/** Whether the last link of a run needs all the others. */
function readsAll(links: readonly Link[], start: number, end: number): boolean {
  const needed = new Set([end]);
  for (let at = end - 1; at >= start; at--) {
    if (!needed.has(at + 1)) return false;
    for (const input of links[at].inputs) needed.add(input);
  }
  return true;
}

function express(link: Link & { kind: "affine" }, inRun: ReadonlyMap<number, Expression>): Expression | undefined {
  const { inputs, inputShapes, map } = link;
  if (inRun.size === 0 && new Set(inputs).size === inputs.length) {
    return { inputs, inputShapes, map: inputs.length === 1 ? { ...map, inputShape: inputShapes[0] } : map };
  }
  const sources = inputs.map(
    (input, i): Expression =>
      inRun.get(input) ?? { inputs: [input], inputShapes: [inputShapes[i]], map: identityAffine(inputShapes[i]) },
  );
  const joined = joinExpressions(sources);
  const inner = { ...joined.map, outputShape: map.inputShape };
  // A link by itself must have a map, whatever its size.
  const fused = inRun.size === 0 ? composeAffine(map, inner) : composeAffine(map, inner, FUSION_LIMIT);
  return fused && { ...joined, map: fused };
}

/** Several expressions as one, whose rows are theirs one after the other. */
function joinExpressions(sources: readonly Expression[]): Expression {
  if (sources.length === 1) return sources[0];
  const shapeOf = new Map<number, Shape>();
  for (const { inputs, inputShapes } of sources)
    for (const [i, input] of inputs.entries()) shapeOf.set(input, inputShapes[i]);
  const inputs = [...shapeOf.keys()];
  const inputShapes = [...shapeOf.values()];
  const first = new Map<number, number>();
  let columns = 0;
  for (const [input, shape] of shapeOf) {
    first.set(input, columns);
    columns += sizeOf(shape);
  }
  /** For each source, where each of its columns is now. */
  const places = sources.map((source) =>
    source.inputs.flatMap((input, i) => {
      const start = first.get(input)!;
      return Array.from({ length: sizeOf(source.inputShapes[i]) }, (_, column) => start + column);
    }),
  );
  const rows = sources.flatMap(({ map }, source) => Array.from(map.bias, (_, row) => ({ source, row })));
  const map = affineMap(
    [columns],
    [rows.length],
    (at, add) => {
      const { source, row } = rows[at];
      const { rowStart, column, weight } = sources[source].map;
      for (let k = rowStart[row]; k < rowStart[row + 1]; k++) add(places[source][column[k]], weight[k]);
    },
    rows.map(({ source, row }) => sources[source].map.bias[row]),
  );
  return { inputs, inputShapes, map };
}

/** By value: the fewest products one after another between it and the end. */
export function productsToCome({ links }: NetworkGraph, groups: readonly AffineGroup[][]): Int32Array {
  const products = new Int32Array(links.length + 1);
  for (let value = links.length - 1; value >= 0; value--) {
    for (const [at, link] of links.entries()) {
      if (!link.inputs.includes(value)) continue;
      // Where a link can be fused with others, whichever group serves best.
      const ends =
        link.kind === "square"
          ? [at + 1]
          : groups.flatMap((list) =>
              list
                .filter(({ start, end, inputs }) => start <= at && at < end && inputs.includes(value))
                .map(({ end }) => end),
            );
      products[value] = Math.max(products[value], 1 + Math.min(...ends.map((end) => products[end])));
    }
  }
  return products;
}
