/** crcnn run: a model on encrypted images, in this process. */

import { readLabels } from "../../data/index.ts";
import { MAX_WEIGHT_BITS, MIN_WEIGHT_BITS } from "../../plan/index.ts";
import { activationOptions, parseActivations, prepareModel } from "../activations.ts";
import { parseChoice, parseInteger, parseThreads } from "../arguments.ts";
import { type BatchRunOptions, describeBatch, runBatches } from "../batch-network.ts";
import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../failure.ts";
import { loadModel, modelOptions, readNamed } from "../files.ts";
import { formatMilliseconds, formatTable } from "../format.ts";
import { type ImageSet, imageOptions, type NamedImage, readImageFiles } from "../images.ts";
import { openLocalNetwork, type RunResult } from "../local-network.ts";
import { describePrediction } from "../machine.ts";
import { cachedCompile, cacheOptions } from "../plan-cache.ts";
import { createProgress } from "../progress.ts";

const BACKENDS = ["ts", "wasm"] as const;
const SCHEMES = ["ckks", "bfv"] as const;
const OBJECTIVES = ["latency", "memory", "throughput"] as const;

export const run: Command = defineCommand({
  name: "run",
  description: "Run a PyTorch model on encrypted images in this process, beside the same model in the clear",
  repeats: true,
  args: {
    model: {
      type: "positional",
      required: true,
      description:
        "A file of torch.save(model), a torch.nn.Sequential, or an ONNX file; or with --architecture a state_dict, a checkpoint or .safetensors",
    },
    image: {
      type: "positional",
      required: true,
      description:
        "PNG, .npy or IDX files, gzipped or not; all images of a file. PNG and IDX bytes are divided by 255, .npy values are taken as they are",
    },
    ...modelOptions,
    ...imageOptions,
    ...activationOptions,
    backend: {
      type: "string",
      valueHint: "ts|wasm",
      description: "Forces the TypeScript or the WebAssembly kernels, on one thread; the faster ones by default",
    },
    threads: { type: "string", valueHint: "N|auto", description: "Threads that compute; 1 by default" },
    scheme: {
      type: "string",
      valueHint: "ckks|bfv",
      description:
        "Approximate numbers (ckks, the default), or exact integers (bfv), which round inputs and weights and nothing else; bfv is for throughput",
    },
    objective: {
      type: "string",
      valueHint: OBJECTIVES.join("|"),
      description:
        "One image after the other in the least time (the default of ckks) or in the least memory, or thousands at once with the most images a second, and one result for all",
    },
    "weight-bits": {
      type: "string",
      valueHint: "N",
      description:
        "For throughput: bits of a weight; as many as the precision takes by default, 8 are fast and round much",
    },
    labels: {
      type: "string",
      valueHint: "FILE",
      description: "For throughput: an IDX file of the images' labels, for the accuracy",
    },
    ...cacheOptions,
  },
  async run(args) {
    const [, ...files] = args._;
    const backend = args.backend === undefined ? undefined : parseChoice("backend", args.backend, BACKENDS);
    const threads = args.threads === undefined ? undefined : parseThreads(args.threads);
    const scheme = parseChoice("scheme", args.scheme ?? "ckks", SCHEMES);
    const byDefault = scheme === "bfv" ? "throughput" : "latency";
    const objective = parseChoice("objective", args.objective ?? byDefault, OBJECTIVES);
    if (scheme === "bfv" && objective !== "throughput") {
      throw new UsageError(
        "--scheme bfv runs images at once, a slot an image: leave --objective out, or use --scheme ckks for one after the other",
      );
    }
    const weightBits = parseWeightBits(args["weight-bits"]);
    if (objective !== "throughput" && (weightBits ?? args.labels) !== undefined) {
      throw new UsageError("--weight-bits and --labels are for --objective throughput");
    }
    const choice = parseActivations(args);
    const model = await loadModel(args.model, args.architecture, choice.mode !== "none");
    const set = await readImageFiles(files, args, model);
    const labels = args.labels === undefined ? undefined : await readImageLabels(args.labels, set);
    const compile = await cachedCompile(args.cache);
    const progress = createProgress();
    try {
      const prepared = await prepareModel(model, choice, args, progress);
      if (objective === "throughput") {
        const options: BatchRunOptions = { scheme, backend, threads, compile, weightBits, labels };
        const result = await runBatches(prepared, set, progress, options);
        process.stdout.write(args.json ? `${JSON.stringify(result)}\n` : describeBatch(result));
        return;
      }
      const network = await openLocalNetwork(prepared, set, progress, { backend, threads, objective, compile });
      for (const image of set.images) {
        const result = network.run(image.tensor);
        process.stdout.write(
          args.json ? `${JSON.stringify({ image: image.name, ...result })}\n` : describe(image, result),
        );
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      progress.abandon();
    }
  },
});

function parseWeightBits(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseInteger("weight-bits", text, MIN_WEIGHT_BITS, MAX_WEIGHT_BITS);
}

async function readImageLabels(file: string, { images }: ImageSet): Promise<Int32Array> {
  const labels = readLabels(await readNamed(file), file);
  if (labels.length >= images.length) return labels;
  throw new UsageError(`--labels: ${file} has ${labels.length} labels, there are ${images.length} images`);
}

function describe(
  { name }: NamedImage,
  { logits, plainLogits, exactLogits, argmax, maxError, relativeError, milliseconds, bytes, predicted }: RunResult,
): string {
  const { encrypt, evaluate, decrypt } = milliseconds;
  return (
    `${name}: ${argmax}\n${formatTable({ encrypted: logits, plain: plainLogits, ...(exactLogits ? { exact: exactLogits } : {}) })}\n` +
    `  largest error ${maxError.toExponential(1)}, ${relativeError.toExponential(1)} of the largest logit; encrypted in ` +
    `${formatMilliseconds(encrypt)}, evaluated in ${formatMilliseconds(evaluate)}, decrypted in ${formatMilliseconds(decrypt)}\n` +
    `  ${describePrediction(predicted, bytes)}\n`
  );
}
