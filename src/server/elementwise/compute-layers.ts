/** From body to body: layers of a served model on ciphertexts that come with all that is needed to compute on them. */

import {
  type BfvContext,
  type BfvParameters,
  type ChosenParameters,
  chooseSeedParameters,
  createBfvEvaluator,
} from "../../bfv/index.ts";
import { compileElementwise, type SourceModel, selectLayers, traceShapes } from "../../builder/index.ts";
import { type Cancellation, CrcnnError, throwIfAborted } from "../../errors/index.ts";
import {
  type BatchPlan,
  createFractionalBatchOperations,
  freeBatchProgram,
  prepareBatchProgram,
  runBatch,
  type Shape,
  sizeOf,
} from "../../plan/index.ts";
import {
  type CiphertextTensor,
  type ComputeAnswer,
  ciphertextCharacters,
  decodeCiphertexts,
  encodeCiphertexts,
  findNet,
  MAX_COMPUTE_COMPONENTS,
  MAX_COMPUTE_ELEMENTS,
  MAX_INPUT_VALUES,
  type ModelSummary,
  requireCiphertextLengths,
} from "../../protocol/index.ts";
import { type EvaluationKeys, freeCiphertext, freeEvaluationKeys } from "../../rlwe/index.ts";
import type { Evaluation } from "../compute.ts";
import { type ComputeBody, parseComputeBody } from "./body.ts";
import type { BfvContexts } from "./contexts.ts";
import { readKeys, requireKeyLength } from "./keys.ts";

/** A model that is read when it is asked for. */
export interface NetSource {
  readonly summary: ModelSummary;
  load(): SourceModel;
}

export interface ComputeLayersOptions {
  readonly nets: readonly NetSource[];
  readonly contexts: BfvContexts;
  /** Most bytes of an answer. */
  readonly answerBytes: number;
  readonly signal: Cancellation;
}

/** Components of a ciphertext that layers take. */
const COMPONENTS = 2;
/** Around the ciphertexts of an answer, for each: quotes, comma, brackets. */
const PUNCTUATION = 16;

/** What is left of a request once it has been read. */
interface Work {
  readonly plan: BatchPlan;
  readonly base: number;
  readonly context: BfvContext;
  readonly keys: EvaluationKeys;
  readonly input: CiphertextTensor;
}

/** @throws What `Compute.computeLayers` does. */
export function computeLayers(bytes: Uint8Array, options: ComputeLayersOptions): Evaluation {
  const work = receiveWork(bytes, options);
  const start = performance.now();
  let output: CiphertextTensor;
  try {
    output = evaluate(work, options.signal);
  } catch (error) {
    if (!(error instanceof CrcnnError && error.code === "MEMORY_LIMIT")) throw error;
    const message = "the layers need more memory than there is for one request; ask for fewer of them at a time";
    throw new CrcnnError("MEMORY_LIMIT", message, { cause: error });
  } finally {
    freeEvaluationKeys(work.keys);
    work.input.ciphertexts.forEach(freeCiphertext);
  }
  const milliseconds = performance.now() - start;
  try {
    const answer: ComputeAnswer = { data: encodeCiphertexts(work.context, output) };
    return { bytes: new TextEncoder().encode(JSON.stringify(answer)), milliseconds };
  } finally {
    output.ciphertexts.forEach(freeCiphertext);
  }
}

/** The texts of the body, which are long, end here. */
function receiveWork(bytes: Uint8Array, options: ComputeLayersOptions): Work {
  const body = parseComputeBody(bytes);
  const { chosen, plan } = compileBody(body, options);
  // All that can be refused without a context has been: for large parameters it takes seconds to make.
  throwIfAborted(options.signal);
  const context = options.contexts.contextFor(chosen.parameters);
  const keys = readKeys(context, body);
  try {
    return { plan, base: chosen.base, context, keys, input: decodeCiphertexts(context, body.data, "data", COMPONENTS) };
  } catch (error) {
    freeEvaluationKeys(keys);
    throw error;
  }
}

interface Compiled {
  readonly chosen: ChosenParameters;
  readonly plan: BatchPlan;
}

function compileBody(body: ComputeBody, { nets, answerBytes }: ComputeLayersOptions): Compiled {
  const { encryption_parameters: encryptionParameters, layers, data } = body;
  const summary = findNet(
    nets.map((each) => each.summary),
    body.net,
  );
  const model = nets.find((each) => each.summary === summary)!.load();
  try {
    const { parameters } = chooseSeedParameters(encryptionParameters);
    requireCiphertextLengths(parameters, data, "data", COMPONENTS);
    requireKeyLength(parameters, body.evaluation_keys);
    const range = selectLayers(model, layers);
    requireSizes(traceShapes(range, data.shape));
    const seeded = ciphertextCharacters(parameters, "seeded");
    const compiled = compileElementwise(range, {
      inputShape: data.shape,
      encryptionParameters,
      encryption: data.items.every(({ length }) => length === seeded) ? "symmetric" : "public",
    });
    const [segment, ...others] = compiled.segments;
    if (others.length > 0) throw refreshNeeded(range);
    const { plan } = segment!.parts[0]!;
    requireAnswer(plan, parameters, answerBytes);
    return { chosen: compiled.chosen, plan };
  } catch (error) {
    // Values that have the right form and yet do not fit: a layer that the model has not got, an m that is no power of two.
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    throw new CrcnnError("INVALID_MESSAGE", error.message, { cause: error });
  }
}

/** Nobody here can do what a Refresh layer asks for; at the beginning of a stretch it has been done. */
function refreshNeeded({ layers }: SourceModel): CrcnnError {
  const inner = layers.slice(1).find(({ layer }) => layer.kind === "Refresh")?.index;
  return new CrcnnError(
    "REFRESH_NEEDED",
    `layers: at layer ${inner} (Refresh) the key's owner encrypts afresh; ask for the layers before it, and for those from ${inner} on, in a ` +
      "request each",
  );
}

/** Plans grow with the tensors on the way, a model's own included. */
function requireSizes(shapes: readonly Shape[]): void {
  const largest = Math.max(...shapes.map(sizeOf));
  if (largest <= MAX_INPUT_VALUES) return;
  throw new CrcnnError(
    "LIMIT_EXCEEDED",
    `a tensor on the way would have ${largest} elements, at most ${MAX_INPUT_VALUES} are computed; scale the image down`,
  );
}

function requireAnswer({ stages, outputShape }: BatchPlan, parameters: BfvParameters, answerBytes: number): void {
  const components = stages.reduce((count, { op }) => {
    if (op === "square") return 2 * count - 1;
    return op === "relinearize" ? 2 : count;
  }, COMPONENTS);
  const elements = sizeOf(outputShape);
  const bytes = elements * (ciphertextCharacters(parameters, components) + PUNCTUATION);
  if (bytes <= answerBytes && elements <= MAX_COMPUTE_ELEMENTS && components <= MAX_COMPUTE_COMPONENTS) return;
  throw new CrcnnError(
    "LIMIT_EXCEEDED",
    `the answer would have ${elements} ciphertexts of ${components} components in ${bytes} bytes, at most ${MAX_COMPUTE_ELEMENTS} of ` +
      `${MAX_COMPUTE_COMPONENTS} in ${answerBytes} are given; ask for layers with a smaller output, or scale the image down`,
  );
}

function evaluate({ plan, base, context, keys, input }: Work, signal: Cancellation): CiphertextTensor {
  const operations = createFractionalBatchOperations(plan, createBfvEvaluator(context, keys), { base, signal });
  const program = prepareBatchProgram(plan, operations);
  try {
    const ciphertexts = runBatch(program, input.ciphertexts, { signal, onInputDone: freeCiphertext });
    return { shape: plan.outputShape, ciphertexts };
  } finally {
    freeBatchProgram(program);
  }
}
