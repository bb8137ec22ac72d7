/** One set of parameters on one image: what comes out, and how far it is from the model in the clear. */

import {
  compile,
  compileElementwise,
  coveringRange,
  type InputRange,
  runModel,
  type SourceModel,
  selectLayers,
  traceValues,
} from "../builder/index.ts";
import { CrcnnError } from "../errors/index.ts";
import { createOwner, type OwnerOptions } from "../owner/index.ts";
import type { Tensor } from "../plan/index.ts";
import type { RlweParameters } from "../rlwe/index.ts";
import { createCkksRunner } from "./ckks-runner.ts";
import type { ChosenSet, ParameterSet, SeedSet } from "./configuration.ts";
import { createElementwiseRunner, type Observation } from "./elementwise-runner.ts";
import { compareTensors, type LayerRow, type SetReport } from "./report.ts";

export interface TrialOptions {
  /** Whether there is a row for each layer. */
  readonly debug?: boolean | undefined;
  /** Layers of the model, from the smallest to the largest; all by default. Those before them run in the clear. */
  readonly layers?: readonly number[] | undefined;
  /** Smallest and largest value that images may have; by default a range that covers this one. */
  readonly inputRange?: InputRange | undefined;
  /** How the owner computes. */
  readonly engine?: Pick<OwnerOptions, "threads" | "backend" | "random"> | undefined;
}

/** What all sets are held against. */
interface Trial {
  readonly range: SourceModel;
  readonly input: Tensor;
  readonly inputRange: InputRange;
  /** Before the first of the layers, and behind each. */
  readonly plain: readonly Tensor[];
  readonly options: TrialOptions;
}

/** A report while it is made: what there is when an error ends it is kept. */
type Draft = { -readonly [K in keyof SetReport]: SetReport[K] };

/**
 * Tries a set. What is wrong with the set alone becomes part of its report.
 *
 * @throws RangeError or TypeError for layers that are no range; CrcnnError UNSUPPORTED_LAYER, SHAPE_MISMATCH for a model that does not take the image.
 */
export async function tryParameterSet(
  model: SourceModel,
  image: Tensor,
  set: ParameterSet,
  options: TrialOptions = {},
): Promise<SetReport> {
  const trial = prepareTrial(model, image, options);
  const draft: Draft = { set: set.source };
  try {
    await (set.scheme === "bfv" ? trySeedSet(trial, set, draft) : tryChosenSet(trial, set, draft));
  } catch (error) {
    const known = error instanceof CrcnnError || error instanceof RangeError || error instanceof TypeError;
    if (!known) throw error;
    const code = error instanceof CrcnnError ? error.code : error.name;
    draft.error = { code, message: error.message };
    if (code === "PRECISION_LOST") draft.budget_exhausted = true;
  }
  return draft;
}

function prepareTrial(model: SourceModel, image: Tensor, options: TrialOptions): Trial {
  const range = options.layers === undefined ? model : selectLayers(model, options.layers);
  const first = model.layers.indexOf(range.layers[0]);
  const input = runModel({ layers: model.layers.slice(0, first) }, image);
  const plain = traceValues(range, input);
  const own = first === 0 ? options.inputRange : undefined;
  return { range, input, inputRange: own ?? coveringRange(extremes(input.data)), plain, options };
}

function extremes(values: Float64Array): InputRange {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return [low, high];
}

async function trySeedSet(trial: Trial, set: SeedSet, draft: Draft): Promise<void> {
  const { range, input, inputRange, options } = trial;
  const compiled = compileElementwise(range, {
    inputShape: input.shape,
    inputRange,
    encryptionParameters: set.encryptionParameters,
    rencryptPositions: set.rencryptPositions,
    separateLayers: options.debug,
  });
  const { parameters } = compiled.chosen;
  draft.parameters = { ...describe("bfv", parameters), plainModulus: parameters.plainModulus };
  const owner = await createOwner({ scheme: "bfv", parameters }, options.engine);
  try {
    const rows: LayerRow[] = [];
    if (options.debug) draft.layers = rows;
    let looking = 0;
    const runner = createElementwiseRunner(compiled, owner, {
      onObservation: options.debug ? (observation) => rows.push(rowOf(trial, observation)) : undefined,
      onLooked: (milliseconds) => {
        looking += milliseconds;
      },
    });
    const start = performance.now();
    const output = await runner.run(input);
    conclude(trial, draft, output, performance.now() - start - looking);
  } finally {
    owner.destroy();
  }
}

/**
 * With debug each layer is a network of its own, from an encryption to a decryption, on what the layers before it came to; the final error is that
 * of the network as it would run.
 */
async function tryChosenSet(trial: Trial, set: ChosenSet, draft: Draft): Promise<void> {
  await runChosen(trial, set, set.rencryptPositions, async (runs, parameters) => {
    draft.parameters = describe("ckks", parameters);
    const start = performance.now();
    const output = runs.reduce((values, run) => run(values), trial.input);
    conclude(trial, draft, output, performance.now() - start);
  });
  if (!trial.options.debug) return;
  const rows: LayerRow[] = [];
  draft.layers = rows;
  const everywhere = trial.range.layers.map(({ index }) => index);
  await runChosen(trial, set, everywhere, async (runs, _, throughOwner) => {
    let start = performance.now();
    const encrypted = throughOwner(trial.input);
    rows.push(precisionRow(trial, undefined, encrypted, performance.now() - start));
    let values = trial.input;
    for (const [i, run] of runs.entries()) {
      start = performance.now();
      values = run(values);
      rows.push(precisionRow(trial, everywhere[i], values, performance.now() - start));
    }
  });
}

async function runChosen(
  { range, input, inputRange, options }: Trial,
  { objective, precision, security }: ChosenSet,
  rencryptPositions: readonly number[],
  use: (
    runs: readonly ((input: Tensor) => Tensor)[],
    parameters: RlweParameters,
    throughOwner: (tensor: Tensor) => Tensor,
  ) => Promise<void>,
): Promise<void> {
  const network = compile(range, {
    inputShape: input.shape,
    inputRange,
    objective,
    precision,
    security,
    rencryptPositions,
  });
  const owner = await createOwner(network.manifest, options.engine);
  try {
    const { segments, free } = createCkksRunner(network, owner);
    await use(segments, network.manifest.parameters, (tensor) => owner.decryptTensor(owner.encryptTensor(tensor)));
    free();
  } finally {
    owner.destroy();
  }
}

function describe(scheme: "bfv" | "ckks", { ringDegree, dataPrimes, specialPrimes }: RlweParameters): Parameters {
  return { scheme, ringDegree, dataPrimes, specialPrimes };
}
type Parameters = NonNullable<SetReport["parameters"]>;

function conclude({ plain }: Trial, draft: Draft, output: Tensor, milliseconds: number): void {
  const wanted = plain[plain.length - 1];
  const { max_error, max_error_position, average_error } = compareTensors(output, wanted);
  draft.final_max_error = max_error;
  draft.final_max_error_position = max_error_position;
  draft.average_error = average_error;
  draft.argmax_agrees = argmax(output.data) === argmax(wanted.data);
  draft.milliseconds = milliseconds;
}

function argmax(values: Float64Array): number {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}

function precisionRow(trial: Trial, layer: number | undefined, values: Tensor, milliseconds: number): LayerRow {
  const { max_error } = compareTensors(values, plainBehind(trial, layer));
  return rowOf(trial, { layer, minNoise: Math.max(0, -Math.log2(max_error)), values, milliseconds });
}

function rowOf(trial: Trial, { layer, minNoise, values, milliseconds }: Observation): LayerRow {
  const source = trial.range.layers.find(({ index }) => index === layer);
  const head = { layer_name: source ? `${source.index} ${source.layer.kind}` : "start", min_noise: minNoise };
  if (!values) return { ...head, milliseconds };
  const { average_error: _, ...errors } = compareTensors(values, plainBehind(trial, layer));
  return { ...head, ...errors, milliseconds };
}

function plainBehind({ range, plain }: Trial, layer: number | undefined): Tensor {
  return plain[range.layers.findIndex(({ index }) => index === layer) + 1];
}
