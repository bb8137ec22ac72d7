/**
 * The layout search: dynamic programming over the boundaries between layers. A state is a layout for each tensor that is still
 * needed (one, but for shortcuts); at each boundary the cheapest few go on, and for each of them every fusion of the maps that follow
 * is lowered onto every family of outputs.
 */

import { type Cancellation, CrcnnError, throwIfAborted } from "../../errors/index.ts";
import {
  choosePool,
  createLoweringCache,
  type Decision,
  formatShape,
  imageShape,
  inputParts,
  joinLayouts,
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
import { assemble } from "./assemble.ts";
import { type AffineGroup, affineGroups, graphOf, type NetworkGraph, productsToCome } from "./groups.ts";
import { fixedStart, freeStarts, type Start } from "./starts.ts";

export interface SearchOptions {
  readonly inputShape: Shape;
  /** Slots of a ciphertext, a power of two. */
  readonly slots: number;
  readonly costs: SlotCosts;
  /** The layout that the input has already; where omitted the client packs it as suits the network best. */
  readonly inputLayout?: Layout;
  /** The input's slots hold so many times the true values; 1 where omitted. */
  readonly inputFactor?: number;
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

/** A tensor that is there at a boundary. */
interface Held {
  readonly layout: Layout;
  /** Products one after another from the network's input to it. */
  readonly depth: number;
  /** 0 for the network's input, k for the result of the k-th decision of the path. */
  readonly stage: number;
}

/** Layouts at a boundary, with how they came about. */
interface State {
  /** By value, those that are live at the boundary. */
  readonly held: ReadonlyMap<number, Held>;
  /** Microseconds so far, with keys and the price of levels. */
  readonly cost: number;
  /** Rotation steps so far. */
  readonly steps: ReadonlySet<number>;
  /** Decisions so far. */
  readonly decided: number;
  readonly path?: { readonly from: State; readonly decision: Decision };
  /** Where its path began. */
  readonly start: Start;
}

interface Search {
  readonly graph: NetworkGraph;
  readonly groups: readonly AffineGroup[][];
  /** By value. */
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
  const { slots, inputShape, inputFactor = 1, costs, maxCiphertexts } = options;
  const graph = graphOf(steps, inputShape);
  const { links } = graph;
  const groups = affineGroups(graph);
  const toCome = productsToCome(graph, groups);
  const largest = links.reduce(
    (most, link) => (link.kind === "affine" ? Math.max(most, sizeOf(link.map.outputShape)) : most),
    sizeOf(inputShape),
  );
  const search: Search = {
    graph,
    groups,
    toCome,
    options,
    ciphertexts: maxCiphertexts ?? 2 * Math.ceil(largest / slots),
    prices: Array.from({ length: toCome[0] + 1 }, (_, products) => pricesAt(costs, levelBefore(products))),
    boundaries: Array.from({ length: links.length + 1 }, () => ({ states: new Map(), costs: [] })),
    cache: createLoweringCache(),
  };
  const { inputLayout } = options;
  const starts = inputLayout ? [fixedStart(inputLayout)] : freeStarts(graph, groups[0] ?? [], inputShape, slots);
  for (const start of starts) {
    const held = new Map([[0, { layout: start.layout, depth: 0, stage: 0 }]]);
    enter(search, 0, { held, start, cost: 0, decided: 0, steps: new Set() });
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
  const output = reshapeLayout(best.held.get(links.length)!.layout, graph.outputShape);
  return assemble(decisionsOf(best), { packing: best.start.packing, output, inputFactor, prices: search.prices });
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
  for (const { algebra, inputs } of steps) {
    if (algebra.kind !== "affine" || inputs.length > 1 || inputs[0] !== 0) continue;
    if (sameShape(algebra.map.inputShape, inputShape)) continue;
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `the network takes ${formatShape(algebra.map.inputShape)}, inputShape is ${formatShape(inputShape)}`,
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
    const structure = [...state.held.values()].map(({ layout }) => structureOf(layout)).join(";");
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

function enter(search: Search, at: number, state: State): void {
  const { boundaries, options } = search;
  if (chainLength(search, state.held) > (options.maxLevels ?? Number.POSITIVE_INFINITY)) return;
  const { states, costs } = boundaries[at];
  // An unrolled input is another tensor than the input itself, even in the same slots.
  const unrolled = state.path === undefined ? (state.start.unrolled?.end ?? 0) : 0;
  const layouts = [...state.held].map(
    ([value, { layout }]) => `${value}|${layout.position.join()}|${layout.replicas.join()}`,
  );
  const key = `${unrolled}|${layouts.join("|")}`;
  const known = states.get(key);
  if (known !== undefined && known.cost <= state.cost) return;
  states.set(key, state);
  if (known !== undefined) costs.splice(costs.indexOf(known.cost), 1);
  const rank = costs.findIndex((cost) => cost > state.cost);
  costs.splice(rank < 0 ? costs.length : rank, 0, state.cost);
}

/** Products one after another that the network takes at least, on the longest way through one of these tensors. */
function chainLength({ toCome }: Search, held: ReadonlyMap<number, Held>): number {
  let longest = 0;
  for (const [value, { depth }] of held) longest = Math.max(longest, depth + toCome[value]);
  return longest;
}

/** What a state may cost at a boundary to be of any use there. */
function costBound({ boundaries, options, prices, toCome, graph }: Search, at: number): number {
  const { costs } = boundaries[at];
  if (costs.length === 0) return Number.POSITIVE_INFINITY;
  if (at === graph.links.length) return costs[0];
  const products = Math.max(...graph.live[at].map((value) => toCome[value]));
  const slack = SLACK_ROTATIONS * prices[Math.min(prices.length - 1, products + 1)].rotation;
  const crowd = costs[CROWDED_BEAMS * (options.beam ?? DEFAULT_BEAM)] ?? Number.POSITIVE_INFINITY;
  return Math.min(costs[0] + slack, crowd);
}

/** What is there behind a boundary, with the value that has been made last. */
function holdOn({ graph }: Search, at: number, state: State, made: Omit<Held, "stage">): Map<number, Held> {
  const held = new Map<number, Held>();
  for (const value of graph.live[at]) {
    held.set(value, value === at ? { ...made, stage: state.decided + 1 } : state.held.get(value)!);
  }
  return held;
}

function enterSquare(search: Search, at: number, state: State): void {
  const { graph, prices, toCome, options } = search;
  const { inputs, layers } = graph.links[at];
  const { layout, depth, stage } = state.held.get(inputs[0])!;
  const { square, rescale } = prices[toCome[at + 1] + 1];
  const held = holdOn(search, at + 1, state, { layout, depth: depth + 1 });
  const longer = chainLength(search, held) - chainLength(search, state.held);
  enter(search, at + 1, {
    ...state,
    held,
    cost: state.cost + layout.ciphertexts * (square + rescale) + longer * options.costs.extraLevel,
    decided: state.decided + 1,
    path: { from: state, decision: { kind: "square", layers, sources: [stage], layout } },
  });
}

function enterGroup(search: Search, group: AffineGroup, state: State): void {
  const { prices, toCome, ciphertexts, cache, options } = search;
  const { end, layers, inputs } = group;
  const unrolled = state.path === undefined ? state.start.unrolled : undefined;
  // An unrolled input serves the one group that it was made for.
  if (unrolled !== undefined && unrolled.end !== end) return;
  const map = unrolled?.map ?? group.map;
  const read = inputs.map((value) => state.held.get(value)!);
  const input = reshapeLayout(joinLayouts(read.map(({ layout }) => layout)), map.inputShape);
  const parts = inputParts(unrolled === undefined ? group.inputShapes : [map.inputShape]);
  const sources = read.map(({ stage }) => stage);
  const depth = read.reduce((most, each) => Math.max(most, each.depth), 0);
  const before = chainLength(search, state.held);
  /** The state behind the group, but for what it costs. */
  const behind = (layout: Layout, products: number): { held: Map<number, Held>; longer: number } => {
    const held = holdOn(search, end, state, { layout, depth: depth + products });
    return { held, longer: (chainLength(search, held) - before) * options.costs.extraLevel };
  };
  const arrive = (decision: Exclude<Decision, { kind: "square" }>, products: number): void => {
    const { output, price, steps } = decision.choice;
    const { held, longer } = behind(output, products);
    enter(search, end, {
      held,
      cost: state.cost + price + longer,
      steps: new Set([...state.steps, ...steps]),
      decided: state.decided + 1,
      path: { from: state, decision },
      start: state.start,
    });
  };
  const after = prices[toCome[end]];
  // Sums of several tensors need a product, which brings them to one scale.
  const pool = inputs.length === 1 ? choosePool(map, input, after, state.steps) : undefined;
  if (pool !== undefined) arrive({ kind: "pool", layers, sources, choice: pool }, 0);
  const own = prices[Math.min(prices.length - 1, toCome[end] + 1)];
  const { longer } = behind(input, 1);
  visitChoices(
    { map, input, parts, prices: own, foldPrices: after, ciphertexts, owned: state.steps, cache },
    () => costBound(search, end) - state.cost - longer,
    (choice) => arrive({ kind: "affine", layers, sources, choice }, 1),
  );
}

function decisionsOf(state: State): Decision[] {
  const decisions: Decision[] = [];
  for (let at = state; at.path !== undefined; at = at.path.from) decisions.unshift(at.path.decision);
  return decisions;
}
