/** For a model that does not fit: what would, each found by compiling it. */

import { CrcnnError } from "../errors/index.ts";
import { sizeOf } from "../plan/index.ts";
import type { CkksCompileOptions, compile } from "./compile.ts";
import { cutAtRefreshes, readsOf, refreshPositions, traceShapes } from "./network.ts";
import { closestOf } from "./no-parameters.ts";
import type { Compiled } from "./saved-plan.ts";
import type { SourceModel } from "./source/source-model.ts";

/** One change to the options with which the model fits. */
export interface Alternative {
  readonly change: Pick<CkksCompileOptions, "rencryptPositions" | "precision" | "objective">;
  readonly network: Compiled;
}

export interface AlternativeOptions {
  readonly compile: typeof compile;
  /** What compiling without a change came to: its NO_PARAMETERS error says which precision would do. */
  readonly failure?: unknown;
  /** Whether what was compiled fits otherwise, as its memory. */
  readonly fits?: ((network: Compiled) => boolean) | undefined;
  /** Called before each attempt, which takes as long as compiling the model. */
  readonly onAttempt?: ((change: Alternative["change"]) => void) | undefined;
}

/** More refreshes than this are not looked for. */
const MOST_REFRESHES = 4;
/** Places for one refresh that are tried. */
const PLACES = 2;
/** Predictions are wanted better than what is asked for by this factor. */
const ROOM = 2.05;

/**
 * Yields what fits, nearest first: the same with less precision, with as few refreshes as will do, with the other objective.
 *
 * @throws What `compile` throws, but NO_PARAMETERS.
 */
export function* findAlternatives(
  model: SourceModel,
  options: CkksCompileOptions,
  { compile: compileModel, failure, fits = () => true, onAttempt = () => {} }: AlternativeOptions,
): Generator<Alternative> {
  const attempt = (change: Alternative["change"]): Alternative | undefined => {
    onAttempt(change);
    try {
      const network = compileModel(model, { ...options, ...change });
      return fits(network) ? { change, network } : undefined;
    } catch (error) {
      // Graphs are refused by one objective and not by the other.
      if (error instanceof CrcnnError && (error.code === "NO_PARAMETERS" || error.code === "UNSUPPORTED_MODEL")) return;
      throw error;
    }
  };
  const closest = closestOf(failure);
  const precision = closest && roundUp(ROOM * closest.error);
  if (precision !== undefined && precision < 1) {
    const found = attempt({ precision });
    if (found) yield found;
  }
  for (const rencryptPositions of refreshChoices(model, options)) {
    const found = attempt({ rencryptPositions });
    if (!found) continue;
    yield found;
    break;
  }
  const found = attempt({ objective: options.objective === "throughput" ? "latency" : "throughput" });
  if (found) yield found;
}

/** To two digits, as 0.0031. */
function roundUp(value: number): number {
  const unit = 10 ** (Math.floor(Math.log10(value)) - 1);
  return Number((Math.ceil(value / unit) * unit).toPrecision(2));
}

/** A place for a refresh. */
interface Place {
  readonly position: number;
  /** Squares before it, and a part of one for every other layer. */
  readonly depth: number;
  /** Elements to encrypt afresh. */
  readonly size: number;
}

/** Lists of positions, the fewest first, that cut the network into stretches of equal depth where its tensors are small. */
function* refreshChoices(
  model: SourceModel,
  { inputShape, rencryptPositions = [] }: CkksCompileOptions,
): Generator<number[]> {
  const { places, depth } = placesOf(model, inputShape, refreshPositions(model, rencryptPositions));
  for (let count = 1; count <= Math.min(MOST_REFRESHES, places.length); count++) {
    const tried = new Set<string>();
    for (let rank = 0; rank < (count === 1 ? PLACES : 1); rank++) {
      const positions = Array.from({ length: count }, (_, i) => nearest(places, (depth * (i + 1)) / (count + 1))[rank]);
      const choice = [...new Set(positions.flatMap((place) => (place ? [place.position] : [])))];
      const name = choice.join();
      if (choice.length < count || tried.has(name)) continue;
      tried.add(name);
      yield [...rencryptPositions, ...choice].sort((left, right) => left - right);
    }
  }
}

function nearest(places: readonly Place[], depth: number): Place[] {
  const distance = (place: Place): number => Math.round(Math.abs(place.depth - depth));
  return [...places].sort((left, right) => distance(left) - distance(right) || left.size - right.size);
}

/** Layers before which the key's owner can encrypt afresh: those that do not stand within a shortcut. */
function placesOf(
  model: SourceModel,
  inputShape: CkksCompileOptions["inputShape"],
  taken: readonly number[],
): { readonly places: readonly Place[]; readonly depth: number } {
  const shapes = traceShapes(model, inputShape);
  // Layers that the key's owner applies have no algebra, and are at the end of a stretch anyway.
  const steps = readsOf(model).flatMap((reads, i) => {
    const { index, layer } = model.layers[i];
    if (layer.exactOnly) return [];
    const algebra = layer.algebra(...reads.map((value) => shapes[value]));
    const own = algebra.kind === "steps" ? algebra.steps.map((step) => step.algebra) : [algebra];
    return own.map(({ kind }) => ({ index, kind }));
  });
  const depthBefore = (position: number): number => {
    const before = steps.filter(({ index }) => index < position);
    const squares = before.filter(({ kind }) => kind === "square").length;
    return squares + (before.length - squares) / (steps.length + 1);
  };
  const places = model.layers.slice(1).flatMap(({ index }, i): Place[] => {
    if (taken.includes(index)) return [];
    try {
      cutAtRefreshes(model, [index]);
    } catch (error) {
      if (error instanceof RangeError) return [];
      throw error;
    }
    return [{ position: index, depth: depthBefore(index), size: sizeOf(shapes[i + 1]) }];
  });
  return { places, depth: depthBefore(Number.POSITIVE_INFINITY) };
}
