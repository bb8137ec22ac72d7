/**
 * The layout search: dynamic programming over the boundaries between layers. A state is a layout; at each boundary the
 * cheapest few go on, and for each of them every fusion of the maps that follow is lowered onto every family of outputs.
 */

import { CrcnnError, throwIfAborted } from "../../errors/index.ts";
import {
  type AffineMap,
  choosePool,
  createLoweringCache,
  formatShape,
  type InputPacking,
  imageShape,
  imageStride,
  type Layout,
  type LevelPrices,
  type LoweredNetwork,
  type LoweringCache,
  levelBefore,
  packingOf,
  pricesAt,
  reshapeLayout,
  type Shape,
  type SlotCosts,
  type Stride,
  sameShape,
  sizeOf,
  visitChoices,
} from "../../plan/index.ts";
import type { NetworkStep } from "../network.ts";
import { assemble, type Decision } from "./assemble.ts";
import { type AffineGroup, affineGroups, type ChainLink, chainOf, productsToCome } from "./groups.ts";
import { unrollWindows } from "./im2col.ts";
import { inputLayouts } from "./input-layouts.ts";

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
  readonly signal?: AbortSignal;
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
  /** Of a starting state: how the client fills it, and the groups that read an unrolled input. */
  readonly start: Start;
}

interface Start {
  readonly packing: InputPacking;
  readonly unrolled?: { readonly end: number; readonly map: AffineMap };
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
  for (const state of startingStates(search)) enter(search, 0, state);
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

/** The layouts that the input may have, im2col included. */
function startingStates({ links, groups, options }: Search): State[] {
  const { inputShape, inputLayout, slots } = options;
  const stateOf = (layout: Layout, start: Start): State => ({ layout, start, cost: 0, products: 0, steps: new Set() });
  if (inputLayout !== undefined) return [stateOf(inputLayout, { packing: packingOf(inputLayout) })];
  const firstMap = links[0]?.kind === "affine" ? links[0].map : undefined;
  const firstOutput = imageShape(firstMap?.outputShape ?? inputShape);
  const family = {
    slots,
    phases: phasesOf(links, inputShape),
    outputChannels: firstOutput.channels,
    flat: firstOutput.height * firstOutput.width === 1,
  };
  const states = inputLayouts({ ...family, shape: inputShape }).map((layout) =>
    stateOf(layout, { packing: packingOf(layout) }),
  );
  const room = slots * Math.ceil(sizeOf(inputShape) / slots);
  for (const { end, map } of groups[0] ?? []) {
    const unrolled = unrollWindows(map, room);
    if (unrolled === undefined) continue;
    const phases = phasesOf(links.slice(end), map.outputShape);
    const start = { end, map: unrolled.map };
    for (const layout of inputLayouts({ ...family, phases, shape: unrolled.shape })) {
      states.push(stateOf(layout, { packing: packingOf(layout, inputShape, unrolled.source), unrolled: start }));
    }
  }
  return states;
}

/** Products of the strides of the first layers, as long as the image has more than one pixel. */
function phasesOf(links: readonly ChainLink[], shape: Shape): Stride[] {
  const phases: Stride[] = [{ y: 1, x: 1 }];
  const { height, width } = imageShape(shape);
  let current = phases[0];
  for (const link of links) {
    if (link.kind === "square") continue;
    const output = imageShape(link.map.outputShape);
    const stride = imageStride(link.map);
    if (output.height * output.width === 1 || stride === undefined) break;
    if (stride.y * stride.x === 1) continue;
    current = { y: current.y * stride.y, x: current.x * stride.x };
    if (current.y > height || current.x > width) break;
    phases.push(current);
  }
  return phases;
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
