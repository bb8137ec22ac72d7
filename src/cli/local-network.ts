/** A network and its key's owner in one process: for `crcnn run`, which tries a model out without a server. */

import { type CompiledNetwork, type compile, runModel } from "../builder/index.ts";
import { serializeCiphertexts } from "../ckks/index.ts";
import { createOwner } from "../owner/index.ts";
import { prepareProgram, runEncrypted, type Tensor } from "../plan/index.ts";
import { evaluationKeyBytes } from "../protocol/index.ts";
import { freeCiphertext } from "../rlwe/index.ts";
import type { PreparedModel } from "./activations.ts";
import { argmax, compareLogits, formatBytes, formatMilliseconds, formatParameters } from "./format.ts";
import type { ImageSet } from "./images.ts";
import { type Bytes, type EngineChoice, openEngine, type Prediction, predictionOf, reportHere } from "./machine.ts";
import { type Progress, paint } from "./progress.ts";

/** What `--json` prints of an image, in this order. */
export interface RunResult {
  readonly logits: readonly number[];
  /** Of the same model in the clear: with polynomials, where they were fitted. */
  readonly plainLogits: readonly number[];
  /** Of the model that polynomials were fitted to; only where they were. */
  readonly exactLogits?: readonly number[];
  readonly argmax: number;
  readonly maxError: number;
  /** Of the largest logit. */
  readonly relativeError: number;
  /** Keys are made once for all images; their figure is the same on every line. */
  readonly milliseconds: {
    readonly keys: number;
    readonly encrypt: number;
    readonly evaluate: number;
    readonly decrypt: number;
  };
  readonly bytes: Bytes;
  /** The same figures as they were expected: of one evaluation with everything warm, on this machine, and of any input. */
  readonly predicted: Prediction;
}

export interface LocalNetwork {
  readonly network: CompiledNetwork;
  /** Encrypts, evaluates, decrypts, and runs the model in the clear beside it. */
  run(input: Tensor): RunResult;
}

export interface LocalNetworkOptions extends EngineChoice {
  readonly compile: typeof compile;
  readonly objective: "latency" | "memory";
}

/** Compiles a model for images and makes its keys. */
export async function openLocalNetwork(
  { model, activations, fitted }: PreparedModel,
  { shape, inputRange }: ImageSet,
  progress: Progress,
  { compile: compileNetwork, objective, ...choice }: LocalNetworkOptions,
): Promise<LocalNetwork> {
  const compiling = progress.step("Choosing layouts and parameters");
  await paint();
  const calibration = fitted?.samples;
  const network = compileNetwork(model, { inputShape: shape, inputRange, activations, calibration, objective });
  const { manifest, plans, schedules } = network;
  compiling.done(formatParameters(manifest));

  const engine = await openEngine(choice);
  const predicted = predictionOf(reportHere(model, network, engine));

  const making = progress.step("Making keys");
  const start = performance.now();
  const owner = await createOwner(manifest, { engine, onProgress: ({ done, total }) => making.update(done, total) });
  const keys = performance.now() - start;
  const count = manifest.keys.rotations.length + (manifest.keys.relinearization >= 0 ? 1 : 0);
  making.done(`${count} evaluation keys, ${formatBytes(evaluationKeyBytes(manifest))}, in ${formatMilliseconds(keys)}`);

  const preparing = progress.step("Encoding weights");
  await paint();
  const programs = plans.map((plan, i) => prepareProgram(plan, schedules[i]!, owner.evaluator.encoder));
  preparing.done("ready");

  return {
    network,
    run(input) {
      const milliseconds = { keys, encrypt: 0, evaluate: 0, decrypt: 0 };
      const timed = <T>(step: "encrypt" | "evaluate" | "decrypt", work: () => T): T => {
        const from = performance.now();
        const result = work();
        milliseconds[step] += performance.now() - from;
        return result;
      };
      const bytes = { keys: evaluationKeyBytes(manifest), input: 0, output: 0, heap: 0 };
      const onProgress = (): void => {
        const { used, permanent } = engine.heap.usage();
        bytes.heap = Math.max(bytes.heap, used + permanent);
      };
      let values = input;
      for (const [n, segment] of manifest.segments.entries()) {
        const inputs = timed("encrypt", () => owner.encryptInput(segment, values));
        const outputs = timed("evaluate", () =>
          runEncrypted(programs[n]!, owner.evaluator.operations, inputs, { onProgress }),
        );
        bytes.input += serializeCiphertexts(owner.context, inputs).length;
        bytes.output += serializeCiphertexts(owner.context, outputs).length;
        values = timed("decrypt", () => owner.decryptOutput(segment, outputs));
        for (const ciphertext of [...inputs, ...outputs]) freeCiphertext(ciphertext);
      }
      const plain = runModel(model, input);
      const { absolute, relative } = compareLogits(values.data, plain.data);
      return {
        logits: Array.from(values.data),
        plainLogits: Array.from(plain.data),
        ...(fitted ? { exactLogits: Array.from(runModel(fitted.exact, input).data) } : {}),
        argmax: argmax(values.data),
        maxError: absolute,
        relativeError: relative,
        milliseconds,
        bytes,
        predicted,
      };
    },
  };
}
