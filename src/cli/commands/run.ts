/** crcnn run: a model on encrypted images, in this process. */

import { MAX_THREADS } from "../../math/index.ts";
import { parseChoice, parseInteger } from "../arguments.ts";
import { type Command, defineCommand } from "../command.ts";
import { loadModel } from "../files.ts";
import { formatMilliseconds, formatTable } from "../format.ts";
import { imageOptions, type NamedImage, readImageFiles } from "../images.ts";
import { openLocalNetwork, type RunResult } from "../local-network.ts";
import { createProgress } from "../progress.ts";

const BACKENDS = ["ts", "wasm"] as const;

export const run: Command = defineCommand({
  name: "run",
  description: "Run a PyTorch model on encrypted images in this process, beside the same model in the clear",
  repeats: true,
  args: {
    model: { type: "positional", required: true, description: "A file of torch.save(model): a torch.nn.Sequential" },
    image: {
      type: "positional",
      required: true,
      description:
        "PNG, .npy or IDX files, gzipped or not; all images of a file. PNG and IDX bytes are divided by 255, .npy values are taken as they are",
    },
    ...imageOptions,
    backend: {
      type: "string",
      valueHint: "ts|wasm",
      description: "Forces the TypeScript or the WebAssembly kernels, on one thread; the faster ones by default",
    },
    threads: { type: "string", valueHint: "N|auto", description: "Threads that compute; 1 by default" },
  },
  async run(args) {
    const [, ...files] = args._;
    const backend = args.backend === undefined ? undefined : parseChoice("backend", args.backend, BACKENDS);
    const threads = args.threads === undefined ? undefined : parseThreads(args.threads);
    const model = await loadModel(args.model);
    const set = await readImageFiles(files, args, model);
    const progress = createProgress();
    try {
      const network = await openLocalNetwork(model, set, progress, { backend, threads });
      for (const image of set.images) {
        const { relativeError, ...result } = network.run(image.tensor);
        process.stdout.write(
          args.json ? `${JSON.stringify({ image: image.name, ...result })}\n` : describe(image, result, relativeError),
        );
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      progress.abandon();
    }
  },
});

function parseThreads(text: string): number | "auto" {
  return text === "auto" ? "auto" : parseInteger("threads", text, 1, MAX_THREADS);
}

function describe(
  { name }: NamedImage,
  { logits, plainLogits, argmax, maxError, milliseconds }: RunResult,
  relative: number,
): string {
  const { encrypt, evaluate, decrypt } = milliseconds;
  return (
    `${name}: ${argmax}\n${formatTable({ encrypted: logits, plain: plainLogits })}\n` +
    `  largest error ${maxError.toExponential(1)}, ${relative.toExponential(1)} of the largest logit; encrypted in ` +
    `${formatMilliseconds(encrypt)}, evaluated in ${formatMilliseconds(evaluate)}, decrypted in ${formatMilliseconds(decrypt)}\n`
  );
}
