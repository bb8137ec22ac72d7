/** Judging candidate output layouts of one affine map on a given input layout. */

import type { AffineMap } from "../affine-map.ts";
import { type Layout, periodOf, tryLayout } from "../layout.ts";
import { allStrides, chooseSplit, type DiagonalSets, rotationsOf, type Split, usualStrides } from "./baby-giant.ts";
import { denseCandidates, familyCandidates, type OutputCandidate, type SpatialPart } from "./candidates.ts";
import { copyPeriod, type FoldedOffsets, multiples } from "./copies.ts";
import { type WantedDifferences, wantedDifferences } from "./differences.ts";
import { bitSummands, type FoldRounds, foldPrice, foldRounds, keyPrice, sumsOf } from "./folds.ts";
import { type InputPart, imageShape, imageStride } from "./geometry.ts";
import { coverDifferences, type ServingOffsets, servingOffsets } from "./hitting-set.ts";
import { type LevelPrices, leastProductPrice, mostDiagonals } from "./prices.ts";

/** Answers that neighbouring candidates and layouts ask for again and again, during one search under one set of costs. */
export interface LoweringCache {
  /** Hitting sets by what they have to serve; undefined where `limit` diagonals were not enough. */
  readonly covers: Map<
    string,
    { readonly id: number; readonly limit: number; readonly diagonals: Int32Array | undefined }
  >;
  /** Splits by level, hitting sets and strides. */
  readonly splits: Map<string, Split>;
  /** By map, the inputs that have a stride. */
  readonly parts: Map<AffineMap, readonly SpatialPart[]>;
  readonly windows: Map<string, Window>;
  readonly servings: Map<string, ServingOffsets>;
}

export function createLoweringCache(): LoweringCache {
  return { covers: new Map(), splits: new Map(), parts: new Map(), windows: new Map(), servings: new Map() };
}

export interface AffineProblem {
  readonly map: AffineMap;
  /** Of all inputs together, where there are several. */
  readonly input: Layout;
  /** The inputs; one or more. */
  readonly parts: readonly InputPart[];
  /** Prices where the products are made. */
  readonly prices: LevelPrices;
  /** Prices one level lower, where the folds are. */
  readonly foldPrices: LevelPrices;
  /** Families that would need more output ciphertexts are left out. */
  readonly ciphertexts: number;
  /** Rotation steps whose keys are there anyway. */
  readonly owned: ReadonlySet<number>;
  readonly cache: LoweringCache;
}

/** A lowering that has been decided on, without its weights. */
export interface AffineChoice {
  readonly map: AffineMap;
  readonly input: Layout;
  readonly output: Layout;
  readonly sets: DiagonalSets;
  readonly split: Split;
  /** Offsets that the folds sum, ascending. */
  readonly foldOffsets: readonly number[];
  readonly folds: FoldRounds;
  /** Offsets at which a row's sum is computed again, so that the output has these copies. */
  readonly rowReplicas: readonly number[];
  /** Distinct rotation steps. */
  readonly steps: ReadonlySet<number>;
  /** Microseconds, with the keys that are not owned yet. */
  readonly price: number;
}

/**
 * Shows `visit` every candidate that costs no more than `bound()` says at that moment, which the visitor may tighten. Where
 * no family fits the geometry, dense layouts are shown whatever they cost in ciphertexts.
 */
export function visitChoices(problem: AffineProblem, bound: () => number, visit: (choice: AffineChoice) => void): void {
  const { map, input, ciphertexts } = problem;
  const possible = consider(familyCandidates(map, input, spatialParts(problem), ciphertexts), problem, bound, visit);
  if (!possible) consider(denseCandidates(map, input), problem, bound, visit);
}

function spatialParts({ map, parts, cache }: AffineProblem): readonly SpatialPart[] {
  let found = cache.parts.get(map);
  if (found === undefined) {
    found = parts.flatMap((part) => {
      const stride = imageStride(map, part);
      return stride === undefined ? [] : [{ ...part, stride }];
    });
    cache.parts.set(map, found);
  }
  return found;
}

/** Judges the most promising candidates first, so that the bound is tight for the others. False when none was possible. */
function consider(
  candidates: Iterable<OutputCandidate>,
  problem: AffineProblem,
  bound: () => number,
  visit: (choice: AffineChoice) => void,
): boolean {
  let possible = false;
  const prospects: Prospect[] = [];
  for (const candidate of candidates) {
    const prospect = assess(problem, candidate, bound());
    if (prospect === undefined) possible = true;
    else prospects.push(prospect);
  }
  prospects.sort((left, right) => left.least - right.least);
  for (const prospect of prospects) {
    const choice = judge(problem, prospect, bound());
    if (choice === "impossible") continue;
    possible = true;
    if (choice !== "expensive") visit(choice);
  }
  return possible;
}

/** The same choice with the best of all strides instead of the usual ones. */
export function polishChoice(choice: AffineChoice, prices: LevelPrices, owned: ReadonlySet<number>): AffineChoice {
  const { sets, folds } = choice;
  const split = chooseSplit(sets, [choice.split.stride, ...allStrides(sets.period)], prices, owned);
  const { babies, giants } = rotationsOf(sets, split);
  return { ...choice, split, steps: new Set([...babies, ...giants].flatMap((set) => [...set]).concat(folds.flat())) };
}

/** What all candidates with one fold window share. */
export interface Window extends FoldedOffsets {
  readonly folds: FoldRounds;
  /** For one output ciphertext. */
  readonly price: number;
}

function windowOf({ input, foldPrices, cache }: AffineProblem, { foldFrom, foldTo }: OutputCandidate): Window {
  const key = `${foldPrices.rotation},${foldFrom},${foldTo}`;
  let window = cache.windows.get(key);
  if (window === undefined) {
    const { slots } = input;
    const summands = bitSummands(foldFrom, foldTo);
    const foldOffsets = sumsOf(summands);
    const folds = foldRounds(summands, slots, foldPrices);
    window = { foldOffsets, foldPeriod: periodOf(foldOffsets, slots), folds, price: foldPrice(folds, foldPrices) };
    cache.windows.set(key, window);
  }
  return window;
}

function servingOf(
  { input, cache }: AffineProblem,
  { foldFrom, foldTo }: OutputCandidate,
  { foldOffsets, foldPeriod }: Window,
): ServingOffsets {
  const key = `${foldFrom},${foldTo}|${input.replicas.join()}`;
  let serving = cache.servings.get(key);
  if (serving === undefined) {
    serving = servingOffsets(input.replicas, input.period, foldOffsets, foldPeriod);
    cache.servings.set(key, serving);
  }
  return serving;
}

/** A candidate with what is known of it before its hitting sets are. */
interface Prospect {
  readonly window: Window;
  readonly serving: ServingOffsets;
  readonly position: Int32Array;
  readonly outputs: number;
  /** Differences to serve by pair of ciphertexts. */
  readonly wanted: readonly WantedDifferences[];
  /** Price of folds and rescales. */
  readonly fixed: number;
  /** The whole price is no less. */
  readonly least: number;
}

/** Undefined when the candidate costs more than the bound. */
function assess(problem: AffineProblem, candidate: OutputCandidate, bound: number): Prospect | undefined {
  const { input, prices, foldPrices, owned } = problem;
  const { slots } = input;
  const window = windowOf(problem, candidate);
  const { rows, offsets } = candidate;
  const foldKeys = keyPrice(window.folds.flat(), owned, foldPrices);
  if (window.price + foldKeys + prices.rescale > bound) return undefined;
  const position = rows.anchor.map((anchor, row) => anchor + offsets[rows.groupOf[row]]);
  const outputs = position.reduce((most, virtual) => Math.max(most, Math.floor(virtual / slots)), 0) + 1;
  const fixed = outputs * (window.price + prices.rescale) + foldKeys;
  if (fixed > bound) return undefined;

  const serving = servingOf(problem, candidate, window);
  const wanted = wantedDifferences(rows, offsets, input, outputs, serving.period);
  let total = 0;
  let largest = 0;
  for (const { count } of wanted) {
    const diagonals = Math.ceil(count / serving.offsets.length);
    total += diagonals;
    largest = Math.max(largest, diagonals);
  }
  const least = fixed + leastProductPrice(prices, largest) + (total - largest) * prices.diagonal;
  return least > bound ? undefined : { window, serving, position, outputs, wanted, fixed, least };
}

function judge(
  problem: AffineProblem,
  { window, serving, position, outputs, wanted, fixed, least }: Prospect,
  bound: number,
): AffineChoice | "expensive" | "impossible" {
  if (least > bound) return "expensive";
  const { map, input, prices, cache } = problem;
  const { slots, ciphertexts: inputs } = input;
  const { folds } = window;
  const limit = mostDiagonals(prices, bound - fixed, serving.period);
  const lists: Int32Array[] = [];
  let key = `${prices.rotation}:${inputs}`;
  for (const { flags } of wanted) {
    const cover = cachedCover(cache, flags, serving, limit);
    if (cover.diagonals === undefined) return "expensive";
    lists.push(cover.diagonals);
    key += `,${cover.id}`;
  }
  const sets = { period: serving.period, slots, inputs, outputs, lists };
  const strides = usualStrides(serving.period, [
    ...problem.parts.flatMap((part) => layoutStrides(input.position, part)),
    ...layoutStrides(position, { shape: map.outputShape, first: 0 }),
  ]);
  key += `|${strides.join()}`;
  let split = cache.splits.get(key);
  if (split === undefined) {
    split = chooseSplit(sets, strides, prices, new Set());
    cache.splits.set(key, split);
  }
  if (fixed + split.price > bound) return "expensive";
  const { babies, giants } = rotationsOf(sets, split);
  const steps = new Set([...babies, ...giants].flatMap((set) => [...set]));
  const price = fixed + split.price + keyPrice(steps, problem.owned, prices);
  if (price > bound) return "expensive";

  const rowPeriod = copyPeriod(position, serving.period, window, input, outputs);
  if (rowPeriod === undefined) return "impossible";
  const output = tryLayout(map.outputShape, slots, position, multiples(Math.min(rowPeriod, window.foldPeriod), slots));
  if (output === undefined) return "impossible";
  const rowReplicas = multiples(rowPeriod, window.foldPeriod).filter((offset) => output.replicas.includes(offset));
  return {
    map,
    input,
    output,
    sets,
    split,
    foldOffsets: window.foldOffsets,
    folds,
    rowReplicas,
    steps: new Set([...steps, ...folds.flat()]),
    price,
  };
}

function cachedCover(
  { covers }: LoweringCache,
  wanted: Uint8Array,
  serving: ServingOffsets,
  limit: number,
): { readonly id: number; readonly diagonals: Int32Array | undefined } {
  const key = `${serving.key}|${packFlags(wanted)}`;
  const known = covers.get(key);
  if (known !== undefined && (known.diagonals !== undefined || known.limit >= limit)) return known;
  const cover = { id: covers.size, limit, diagonals: coverDifferences(wanted, serving, limit) };
  covers.set(key, cover);
  return cover;
}

/** Flags as text, sixteen a character. */
function packFlags(flags: Uint8Array): string {
  const words = new Uint16Array(Math.ceil(flags.length / 16));
  for (let i = 0; i < flags.length; i++) words[i >> 4] |= flags[i] << (i & 15);
  let text = "";
  for (let i = 0; i < words.length; i += 256) text += String.fromCharCode(...words.subarray(i, i + 256));
  return text;
}

function layoutStrides(position: Int32Array, { shape, first }: InputPart): number[] {
  const { channels, height, width } = imageShape(shape);
  const strides: number[] = [];
  if (channels > 1) strides.push(position[first + height * width] - position[first]);
  if (height > 1) strides.push(position[first + width] - position[first]);
  if (width > 1) strides.push(position[first + 1] - position[first]);
  return strides;
}
