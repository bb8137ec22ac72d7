/** Polynomials in the place of activations: fit, then compile, then run. */

import { CrcnnError } from "../../errors/index.ts";
import { compositeReluLayer, polynomialLayer } from "../../layers/index.ts";
import type { Layer } from "../../plan/index.ts";
import { describeLayer, traceShapes } from "../network.ts";
import type { SourceLayer, SourceModel } from "../source/source-model.ts";
import { type AnswerComparison, compareAnswers } from "./answers.ts";
import { type ActivationInputs, degreesFor, type FittedActivation, fitActivation, measureInputs } from "./fit-layer.ts";
import { type FitOptions, type ResolvedFitOptions, resolveFitOptions } from "./fit-options.ts";
import { createPasses, type Pass, type Passes } from "./passes.ts";

/** What a fit found. Plain data, which {@link applyFit} makes a model of again. */
export interface ActivationFit extends AnswerComparison {
  /** In order. */
  readonly activations: readonly FittedActivation[];
  /** Layers that stay the key owner's: pools of maxima, and activations beside them. */
  readonly ownerLayers: readonly number[];
}

export interface FittedModel {
  readonly model: SourceModel;
  readonly fit: ActivationFit;
}

/**
 * Puts polynomials in the place of a model's activations. Each is fitted on what reaches it from the calibration inputs through the polynomials
 * before it. Degrees are the smallest that keep the answers: the same for all first, then lower ones from the last activation on.
 *
 * A MaxPool2d stays, for the key's owner (`activations: "client"` of `compile`). Where one is, values are decrypted anyway, so the activations
 * next to it are left to the owner as well.
 *
 * Inputs whose values leave an interval get errors that grow quickly with the distance: calibrate with inputs of all kinds, or take a larger margin.
 *
 * @throws TypeError or RangeError for an option that is none; CrcnnError SHAPE_MISMATCH, UNSUPPORTED_LAYER, and UNSUPPORTED_MODEL where no degree
 * keeps the answers.
 */
export function fit(model: SourceModel, options: FitOptions): FittedModel {
  const resolved = resolveFitOptions(options);
  const { calibration, agreement: wanted } = resolved;
  for (const { shape } of calibration) traceShapes(model, shape);
  const places = activationsToFit(model);
  const passes = createPasses(model, calibration);
  const expected = passes.outputs(finish(model, passes, passes.start, model.layers.length));
  /** By activation, its degrees from the least deep one on. */
  const ladders = places.map((at) => degreesFor(model.layers[at].layer, resolved));
  const search = createSearch(model, places, passes, ladders, resolved);

  const judge = (attempt: Attempt): Judged => {
    const comparison = compareAnswers(expected, passes.outputs(attempt.end));
    return { ...attempt, ...comparison, kept: Math.min(comparison.agreement, comparison.expectedAgreement) };
  };
  const highest = Math.max(0, ...ladders.map(({ length }) => length - 1));
  let best = judge(search(places.map(() => 0)));
  for (let rung = 1; rung <= highest && best.kept < wanted; rung++) best = judge(search(places.map(() => rung)));
  if (best.kept < wanted) throw notKept(best, resolved);
  for (let k = places.length - 1; k >= 0; k--) {
    for (let rung = 0; rung < best.rungs[k]; rung++) {
      const attempt = judge(
        search(
          best.rungs.map((each, i) => (i === k ? rung : each)),
          best,
          k,
        ),
      );
      if (attempt.kept < wanted) continue;
      best = attempt;
      break;
    }
  }
  const { activations, agreement, expectedAgreement, outputError } = best;
  const ownerLayers = model.layers
    .filter(({ layer }, at) => layer.exactOnly !== undefined && !places.includes(at))
    .map(({ index }) => index);
  const found = { activations, ownerLayers, agreement, expectedAgreement, outputError };
  return { model: applyFit(model, found), fit: found };
}

/**
 * The model with a fit's polynomials in the place of its activations.
 *
 * @throws CrcnnError UNSUPPORTED_MODEL for a fit of another model.
 */
export function applyFit(model: SourceModel, { activations }: Pick<ActivationFit, "activations">): SourceModel {
  const byIndex = new Map(activations.map((activation) => [activation.index, activation]));
  const layers = model.layers.map((source): SourceLayer => {
    const activation = byIndex.get(source.index);
    if (activation === undefined) return source;
    byIndex.delete(source.index);
    if (activation.kind !== source.layer.kind) throw foreign(activation, describeLayer(source));
    const { refusal: _, ...rest } = source;
    return { ...rest, layer: polynomialOf(activation) };
  });
  for (const activation of byIndex.values()) throw foreign(activation, "no layer");
  return { layers };
}

function foreign({ kind, index }: FittedActivation, found: string): CrcnnError {
  return new CrcnnError(
    "UNSUPPORTED_MODEL",
    `the fit is of another model: it has a ${kind} as layer ${index}, this one has ${found} there`,
  );
}

function polynomialOf({ coefficients, composition }: FittedActivation): Layer {
  return composition ? compositeReluLayer(composition) : polynomialLayer({ coefficients });
}

/** Places in the list of the activations that become polynomials: those without a pool of maxima in the same row of the owner's layers. */
function activationsToFit({ layers }: SourceModel): number[] {
  const places: number[] = [];
  for (let start = 0; start < layers.length; start++) {
    let end = start;
    while (layers[end]?.layer.exactOnly !== undefined) end++;
    const row = layers.slice(start, end);
    if (row.every(({ layer }) => layer.exactOnly === "element")) places.push(...row.map((_, i) => start + i));
    start = end;
  }
  return places;
}

/** All activations fitted with degrees of their own. */
interface Attempt {
  readonly activations: readonly FittedActivation[];
  /** By activation, which of its degrees. */
  readonly rungs: readonly number[];
  /** Where the pass stood at each activation, and what reached it. */
  readonly states: readonly { readonly pass: Pass; readonly inputs: ActivationInputs }[];
  readonly end: Pass;
}

interface Judged extends Attempt, AnswerComparison {
  /** The lesser of both figures of agreement. */
  readonly kept: number;
}

/** Fits all activations, or from the k-th on, where the ones before it are as in another attempt. */
type Search = (rungs: readonly number[], like?: Attempt, k?: number) => Attempt;

function createSearch(
  model: SourceModel,
  places: readonly number[],
  passes: Passes,
  ladders: readonly (readonly number[])[],
  { margin, method }: ResolvedFitOptions,
): Search {
  return (wanted, like, from = 0) => {
    const rungs = wanted.map((rung, k) => Math.min(rung, ladders[k].length - 1));
    const activations = like ? like.activations.slice(0, from) : [];
    const states = like ? like.states.slice(0, from) : [];
    let pass = passes.start;
    for (let k = from; k < places.length; k++) {
      const known = k === from ? like?.states[k] : undefined;
      pass = known?.pass ?? finish(model, passes, pass, places[k]);
      const inputs = known?.inputs ?? measureInputs(passes.inputs(pass), margin);
      const activation = fitActivation(model.layers[places[k]], inputs, ladders[k][rungs[k]], method);
      activations.push(activation);
      states.push({ pass, inputs });
      pass = passes.advance(pass, polynomialOf(activation));
    }
    return { activations, rungs, states, end: finish(model, passes, pass, model.layers.length) };
  };
}

/** Takes a pass to a layer, with the layers in between as they are. */
function finish({ layers }: SourceModel, passes: Passes, from: Pass, to: number): Pass {
  let pass = from;
  while (pass.at < to) pass = passes.advance(pass, layers[pass.at].layer);
  return pass;
}

function notKept({ kept, activations }: Judged, { agreement: wanted, calibration }: ResolvedFitOptions): CrcnnError {
  const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;
  const degrees = activations.map(({ degree }) => degree).join(", ");
  return new CrcnnError(
    "UNSUPPORTED_MODEL",
    `polynomials of degree ${degrees} keep the answers of ${percent(kept)} of inputs like the ${calibration.length} for calibration, asked ` +
      `for are ${percent(wanted)}: leave the activations to the client (--activations client), or ask for less agreement`,
  );
}
