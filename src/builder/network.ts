/** A model with the shapes that an input of one shape takes on its way through it. */

import { CrcnnError } from "../errors/index.ts";
import { formatShape, type Shape, type StepAlgebra, type Tensor } from "../plan/index.ts";
import { exactOnlyRefusal } from "./activation-refusal.ts";
import type { SourceLayer, SourceModel } from "./source/source-model.ts";

/** A step of a layer as the planner sees it. */
export interface NetworkStep {
  /** The source model's layer. */
  readonly index: number;
  readonly algebra: StepAlgebra;
  /** What it reads: 0 is the network's input, k the result of the k-th step, counted from 1. */
  readonly inputs: readonly number[];
}

/** A name for messages: `layer 3 (Conv2d)`. */
export function describeLayer({ index, layer }: SourceLayer): string {
  return `layer ${index} (${layer.kind})`;
}

/** @throws CrcnnError UNSUPPORTED_LAYER for the first layer that cannot run encrypted. */
export function requireSupported(model: SourceModel): void {
  for (const source of model.layers) {
    const { layer, refusal } = source;
    if (refusal) throw refusal;
    if (layer.exactOnly) throw exactOnlyRefusal(describeLayer(source), layer);
  }
}

/** @throws CrcnnError UNSUPPORTED_LAYER for the first layer that does not even run in the clear. */
export function requireExact(model: SourceModel): void {
  const refused = model.layers.find(({ layer, refusal }) => refusal !== undefined && !layer.exactOnly);
  if (refused?.refusal) throw refused.refusal;
}

/**
 * What each layer reads, by number of value: 0 is the model's input, i + 1 the output of the i-th layer in the list.
 *
 * @throws CrcnnError UNSUPPORTED_MODEL for a layer that reads what comes after it, or what the model does not hold.
 */
export function readsOf({ layers }: SourceModel): number[][] {
  const before = (layers[0]?.index ?? 0) - 1;
  return layers.map((source, i) => {
    const values = source.inputs?.map((number) => number - before) ?? [i];
    const outside = values.find((value) => !Number.isInteger(value) || value < 0 || value > i);
    if (outside === undefined) return values;
    throw new CrcnnError(
      "UNSUPPORTED_MODEL",
      `${describeLayer(source)} reads the output of layer ${outside + before}; it can read those from ${before} to ${before + i}`,
    );
  });
}

/**
 * The layers `from` … `to - 1` of the list as a model of its own, whose input is the output of the layer before them.
 *
 * @throws RangeError where a layer reads across the cut, as the end of a shortcut does.
 */
function sliceModel(model: SourceModel, from: number, to: number): SourceModel {
  for (const [i, reads] of readsOf(model).entries()) {
    const across = i >= from && i < to ? reads.find((value) => value < from) : undefined;
    if (across === undefined) continue;
    const [first, reader] = [model.layers[from], model.layers[i]].map(describeLayer);
    throw new RangeError(
      `a stretch of layers cannot begin with ${first}: ${reader} also reads what comes before the layer in front of it; begin before a shortcut or behind its end`,
    );
  }
  return { layers: model.layers.slice(from, to) };
}

/**
 * A stretch of a model: what stands outside of it may be unsupported. Layers keep their numbers.
 *
 * @param numbers ascending without a gap, as `[0, 1, 2, 3]`.
 * @throws TypeError or RangeError for anything else, for a number that is no layer's, and for a stretch that begins within a shortcut.
 */
export function selectLayers(model: SourceModel, numbers: readonly number[]): SourceModel {
  if (!Array.isArray(numbers)) throw new TypeError(`layers must be a list of layer numbers, got ${String(numbers)}`);
  const [first] = numbers;
  const start = model.layers.findIndex(({ index }) => index === first);
  const layers = model.layers.slice(start, start + numbers.length);
  if (start >= 0 && layers.length === numbers.length && layers.every(({ index }, i) => index === numbers[i])) {
    return sliceModel(model, start, start + numbers.length);
  }
  const [from, to] = [model.layers[0], model.layers[model.layers.length - 1]].map((layer) => layer.index);
  throw new RangeError(
    `layers must be numbers from ${from} to ${to}, ascending without a gap, as [0, 1], got [${numbers.join(", ")}]`,
  );
}

/**
 * Shapes by value: of the input, and of every layer's output. Layers that run in the clear alone have shapes like others.
 *
 * @throws CrcnnError SHAPE_MISMATCH naming the layer that does not take what reaches it, UNSUPPORTED_LAYER, UNSUPPORTED_MODEL.
 */
export function traceShapes(model: SourceModel, inputShape: Shape): Shape[] {
  requireExact(model);
  const shapes: Shape[] = [inputShape];
  for (const [i, reads] of readsOf(model).entries()) {
    const source = model.layers[i];
    try {
      shapes.push(source.layer.outputShape(...reads.map((value) => shapes[value])));
    } catch (error) {
      if (!(error instanceof CrcnnError)) throw error;
      const input = `an input of shape ${formatShape(inputShape)}`;
      throw new CrcnnError(error.code, `${describeLayer(source)} with ${input}: ${error.message}`, { cause: error });
    }
  }
  return shapes;
}

/**
 * The algebra of a model; `shapes` are those of {@link traceShapes}.
 *
 * @throws CrcnnError UNSUPPORTED_LAYER for a layer that runs in the clear alone.
 */
export function networkSteps(model: SourceModel, shapes: readonly Shape[]): NetworkStep[] {
  requireSupported(model);
  const steps: NetworkStep[] = [];
  /** By the model's values, those of the steps. */
  const results = [0];
  for (const [i, reads] of readsOf(model).entries()) {
    const { index, layer } = model.layers[i];
    const algebra = layer.algebra(...reads.map((value) => shapes[value]));
    const inputs = reads.map((value) => results[value]);
    if (algebra.kind === "steps") {
      const before = steps.length;
      const own = (input: number): number => (input === 0 ? inputs[0] : before + input);
      for (const step of algebra.steps) {
        steps.push({ index, algebra: step.algebra, inputs: step.inputs.map(own) });
      }
    } else {
      steps.push({ index, algebra, inputs });
    }
    results.push(steps.length);
  }
  return steps;
}

/**
 * @param what takes chains only, as messages name it.
 * @throws CrcnnError UNSUPPORTED_MODEL for the first step that does not read the one before it alone.
 */
export function requireChain(model: SourceModel, steps: readonly NetworkStep[], what: string): void {
  const joint = steps.find(({ inputs }, i) => inputs.length !== 1 || inputs[0] !== i);
  if (joint === undefined) return;
  const source = model.layers.find(({ index }) => index === joint.index);
  throw new CrcnnError(
    "UNSUPPORTED_MODEL",
    `${source ? describeLayer(source) : `layer ${joint.index}`} takes more than the output of the layer before it, and ${what} takes chains of ` +
      'layers; use objective "latency"',
  );
}

/**
 * The layers before which the key's owner encrypts afresh: those that are asked for, and the model's own Refresh layers. Ascending.
 *
 * @throws RangeError for a position that is no layer's number.
 */
export function refreshPositions({ layers }: SourceModel, positions: readonly number[]): number[] {
  const first = layers[0].index;
  for (const position of positions) {
    if (!Number.isInteger(position) || position < first || position >= first + layers.length) {
      throw new RangeError(
        `rencryptPositions must hold layer numbers from ${first} to ${first + layers.length - 1}, got ${position}`,
      );
    }
  }
  const own = layers.flatMap(({ index, layer }) => (layer.kind === "Refresh" ? [index] : []));
  return [...new Set([...positions, ...own])].sort((left, right) => left - right);
}

/**
 * The stretches of a model between refreshes, as models of their own.
 *
 * @throws RangeError for a position that is no layer's number, and for one within a shortcut.
 */
export function cutAtRefreshes(model: SourceModel, positions: readonly number[]): SourceModel[] {
  const { layers } = model;
  // A refresh before the first layer would repeat the encryption that has just been made.
  const inner = refreshPositions(model, positions).map((position) => position - layers[0].index);
  const bounds = [0, ...inner.filter((offset) => offset > 0), layers.length];
  return bounds.slice(1).map((end, i) => sliceModel(model, bounds[i], end));
}

/** The model in the clear, in double precision: its input, and every layer's output. */
export function traceValues(model: SourceModel, input: Tensor): Tensor[] {
  traceShapes(model, input.shape);
  const values = [input];
  for (const [i, reads] of readsOf(model).entries()) {
    values.push(model.layers[i].layer.forward(...reads.map((value) => values[value])));
  }
  return values;
}

/** The model in the clear, in double precision. */
export function runModel(model: SourceModel, input: Tensor): Tensor {
  const values = traceValues(model, input);
  return values[values.length - 1];
}
