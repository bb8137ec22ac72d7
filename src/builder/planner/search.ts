/**
 * The layout search: dynamic programming over the boundaries between layers. A state is a layout; at each boundary the
 * cheapest few go on, and for each of them every fusion of the maps that follow is lowered onto every family of outputs.
 */

import { type Cancellation, CrcnnError, throwIfAborted } from "../../errors/index.ts";
import {
  choosePool,
  createLoweringCache,
  formatShape,
  imageShape,
  type Layout,
  type LevelPrices,
  type LoweredNetwork,
  type LoweringCache,
  levelBefore,
  pricesAt,
  reshapeLayout,
  type Shape,
  type SlotCosts,
  sameShape,
  sizeOf,
  visitChoices,
} from "../../plan/index.ts";
import type { NetworkStep } from "../network.ts";
import { assemble, type Decision } from "./assemble.ts";
import { type AffineGroup, affineGroups, type ChainLink, chainOf, productsToCome } from "./groups.ts";
import { fixedStart, freeStarts, type Start } from "./starts.ts";

export interface SearchOptions {
  readonly inputShape: Shape;
  /** Slots of a ciphertext, a power of two. */
  readonly slots: number;
  readonly costs: SlotCosts;
  /** The layout that the input has already; where omitted the client packs it as suits the network best. */
  readonly inputLayout?: Layout;
  /** Layouts that need more ciphertexts are left out while others fit; twice what the largest tensor needs where omitted. */
  readonly maxCiphertexts?: number;
  /** Layouts kept at each boundary; 16 where omitted. */
  readonly beam?: number;
  /** Most affine stages and squares one after another; unlimited where omitted. */
  readonly maxLevels?: number;
  readonly signal?: Cancellation;
}

/** So many rotations may a layout be behind the best at its boundary: later layers can make up for them. */
const SLACK_ROTATIONS = 6;
const DEFAULT_BEAM = 16;
/** Behind so many full beams of better states no further one is looked for. */
const CROWDED_BEAMS = 2;
/** The best of each structure is kept beyond the beam, up to so many beams in all. */
const MOST_KEPT = 2;

/** A layout at a boundary, with how it came about. */
interface State {
  readonly layout: Layout;
  /** Microseconds so far, with keys and the price of levels. */
  readonly cost: number;
  readonly products: number;
  /** Rotation steps so far. */
  readonly steps: ReadonlySet<number>;
  readonly path?: { readonly from: State; readonly decision: Decision };
  /** Where its path began. */
  readonly start: Start;
}

interface Search {
  readonly links: readonly ChainLink[];
  readonly groups: readonly AffineGroup[][];
  readonly toCome: Int32Array;
  readonly options: SearchOptions;
  readonly ciphertexts: number;
  readonly prices: readonly LevelPrices[];
  readonly boundaries: readonly Boundary[];
  readonly cache: LoweringCache;
}

/** States at a boundary by layout. */
interface Boundary {
  readonly states: Map<string, State>;
  /** Ascending. */
  readonly costs: number[];
}

/**
 * Finds layouts, fusions and rotations for a chain of layers, and lowers it. Deterministic. Any chain of affine maps and squares
 * has a result: what no family of layouts suits is laid out densely, over as many ciphertexts as it needs.
 *
 * @throws RangeError when `slots` is no power of two, or a limit is no positive integer.
 * @throws CrcnnError SHAPE_MISMATCH when the input has another shape than the first map takes, LEVEL_EXHAUSTED when the network
 * needs more than `maxLevels`, ABORTED.
 */
export function searchLayout(steps: readonly NetworkStep[], options: SearchOptions): LoweredNetwork {
  validate(steps, options);
  const links = chainOf(steps);
  const groups = affineGroups(links);
  const toCome = productsToCome(links, groups);
  const { slots, inputShape, costs, maxCiphertexts } = options;
  const largest = links.reduce(
    (most, link) => (link.kind === "affine" ? Math.max(most, sizeOf(link.map.outputShape)) : most),
    sizeOf(inputShape),
  );
  const search: Search = {
    links,
    groups,
    toCome,
    options,
    ciphertexts: maxCiphertexts ?? 2 * Math.ceil(largest / slots),
    prices: Array.from({ length: toCome[0] + 1 }, (_, products) => pricesAt(costs, levelBefore(products))),
    boundaries: Array.from({ length: links.length + 1 }, () => ({ states: new Map(), costs: [] })),
    cache: createLoweringCache(),
  };
  const { inputLayout } = options;
  const starts = inputLayout ? [fixedStart(inputLayout)] : freeStarts(links, groups[0] ?? [], inputShape, slots);
  for (const start of starts) {
    enter(search, 0, { layout: start.layout, start, cost: 0, products: 0, steps: new Set() });
  }
  for (const [at, link] of links.entries()) {
    for (const state of survivors(search, at)) {
      throwIfAborted(options.signal);
      if (link.kind === "square") enterSquare(search, at, state);
      else for (const group of groups[at]) enterGroup(search, group, state);
    }
  }
  const best = survivors(search, links.length)[0];
  if (best === undefined) {
    throw new CrcnnError(
      "LEVEL_EXHAUSTED",
      `the network needs ${toCome[0]} levels, maxLevels is ${options.maxLevels}; allow more, or set a re-encryption position`,
    );
  }
  return assemble(decisionsOf(best), { packing: best.start.packing, output: best.layout, prices: search.prices });
}

function validate(steps: readonly NetworkStep[], options: SearchOptions): void {
  const { slots, inputShape, inputLayout } = options;
  if (!Number.isSafeInteger(slots) || slots < 1 || Math.log2(slots) % 1 !== 0) {
    throw new RangeError(`slots must be a power of two, got ${slots}`);
  }
  for (const name of ["maxCiphertexts", "beam", "maxLevels"] as const) {
    const value = options[name];
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 1)) {
      throw new RangeError(`${name} must be a positive integer, got ${value}`);
    }
  }
  if (inputLayout !== undefined && (inputLayout.slots !== slots || !sameShape(inputLayout.shape, inputShape))) {
    throw new RangeError(
      `inputLayout must hold ${formatShape(inputShape)} in ${slots} slots, got ${formatShape(inputLayout.shape)} in ${inputLayout.slots}`,
    );
  }
  const first = steps.find(({ algebra }) => algebra.kind === "affine")?.algebra;
  if (first?.kind === "affine" && !sameShape(first.map.inputShape, inputShape)) {
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `the network takes ${formatShape(first.map.inputShape)}, inputShape is ${formatShape(inputShape)}`,
    );
  }
}

/** Best first: the beam, and the best of each structure beyond it, because many states of equal cost are alike. */
function survivors({ boundaries, options }: Search, at: number): State[] {
  const sorted = [...boundaries[at].states.values()].sort((left, right) => left.cost - right.cost);
  if (at === 0) return sorted;
  const structures = new Set<string>();
  const beam = options.beam ?? DEFAULT_BEAM;
  const kept: State[] = [];
  for (const [rank, state] of sorted.entries()) {
    const structure = structureOf(state.layout);
    if (rank < beam || (!structures.has(structure) && kept.length < MOST_KEPT * beam)) kept.push(state);
    structures.add(structure);
  }
  return kept;
}

/** What decides the cost of later layers: the period of the copies, and how far apart neighbouring pixels are. */
function structureOf({ shape, position, period }: Layout): string {
  const { height, width } = imageShape(shape);
  const down = height > 1 ? position[width] - position[0] : 0;
  const right = width > 1 ? position[1] - position[0] : 0;
  return `${period},${down},${right}`;
}

function enter({ boundaries, options, toCome }: Search, at: number, state: State): void {
  if (state.products + toCome[at] > (options.maxLevels ?? Number.POSITIVE_INFINITY)) return;
  const { states, costs } = boundaries[at];
  const { position, replicas } = state.layout;
  // An unrolled input is another tensor than the input itself, even in the same slots.
  const key = `${state.path === undefined ? (state.start.unrolled?.end ?? 0) : 0}|${position.join()}|${replicas.join()}`;
  const known = states.get(key);
  if (known !== undefined && known.cost <= state.cost) return;
  states.set(key, state);
  if (known !== undefined) costs.splice(costs.indexOf(known.cost), 1);
  const rank = costs.findIndex((cost) => cost > state.cost);
  costs.splice(rank < 0 ? costs.length : rank, 0, state.cost);
}

/** What a state may cost at a boundary to be of any use there. */
function costBound({ boundaries, options, prices, toCome, links }: Search, at: number): number {
  const { costs } = boundaries[at];
  if (costs.length === 0) return Number.POSITIVE_INFINITY;
  if (at === links.length) return costs[0];
  const slack = SLACK_ROTATIONS * prices[Math.min(prices.length - 1, toCome[at] + 1)].rotation;
  const crowd = costs[CROWDED_BEAMS * (options.beam ?? DEFAULT_BEAM)] ?? Number.POSITIVE_INFINITY;
  return Math.min(costs[0] + slack, crowd);
}

function enterSquare(search: Search, at: number, state: State): void {
  const { square, rescale } = search.prices[search.toCome[at]];
  const { layout } = state;
  enter(search, at + 1, {
    ...state,
    cost: state.cost + layout.ciphertexts * (square + rescale) + search.options.costs.extraLevel,
    products: state.products + 1,
    path: { from: state, decision: { kind: "square", layers: search.links[at].layers, layout } },
  });
}

function enterGroup(search: Search, group: AffineGroup, state: State): void {
  const { prices, toCome, ciphertexts, cache, options } = search;
  const { end, layers } = group;
  const unrolled = state.path === undefined ? state.start.unrolled : undefined;
  // An unrolled input serves the one group that it was made for.
  if (unrolled !== undefined && unrolled.end !== end) return;
  const map = unrolled?.map ?? group.map;
  const input = reshapeLayout(state.layout, map.inputShape);
  const after = prices[toCome[end]];
  const arrive = (
    decision: Decision,
    layout: Layout,
    price: number,
    products: number,
    steps: ReadonlySet<number>,
  ): void => {
    const cost = state.cost + price + products * options.costs.extraLevel;
    const added = new Set([...state.steps, ...steps]);
    enter(search, end, {
      layout,
      cost,
      products: state.products + products,
      steps: added,
      path: { from: state, decision },
      start: state.start,
    });
  };
  const pool = choosePool(map, input, after, state.steps);
  if (pool !== undefined) arrive({ kind: "pool", layers, choice: pool }, pool.output, pool.price, 0, pool.steps);
  const own = prices[Math.min(prices.length - 1, toCome[end] + 1)];
  visitChoices(
    { map, input, prices: own, foldPrices: after, ciphertexts, owned: state.steps, cache },
    () => costBound(search, end) - state.cost - options.costs.extraLevel,
    (choice) => arrive({ kind: "affine", layers, choice }, choice.output, choice.price, 1, choice.steps),
  );
}

function decisionsOf(state: State): Decision[] {
  const decisions: Decision[] = [];
  for (let at = state; at.path !== undefined; at = at.path.from) decisions.unshift(at.path.decision);
  return decisions;
}
