/** crcnn demo: a LeNet-1 in one process reads digits that another process has encrypted. */

import { readFile } from "node:fs/promises";
import { runModel } from "../../builder/index.ts";
import type { ClientSession } from "../../client/index.ts";
import type { Tensor } from "../../plan/index.ts";
import { parseInteger } from "../arguments.ts";
import { type Command, defineCommand } from "../command.ts";
import { loadModel, packagePath } from "../files.ts";
import { argmax, compareLogits, formatBytes, formatMilliseconds, formatPicture, formatTable } from "../format.ts";
import { readImageFiles } from "../images.ts";
import { cacheOptions } from "../plan-cache.ts";
import { createProgress, type Progress } from "../progress.ts";
import { describeSetup, openRemote } from "../remote.ts";
import { startServerProcess } from "../server-process.ts";

const MODEL = "lenet1-square";
const DIGITS = 10;
/** What counts as agreement: relative to the largest logit. */
const TOLERANCE = 1e-3;

interface Outcome {
  readonly agrees: boolean;
  readonly relativeError: number;
}

export const demo: Command = defineCommand({
  name: "demo",
  description: "A LeNet-1 reads handwritten digits that its server cannot see",
  args: {
    first: {
      type: "string",
      default: "3",
      valueHint: "N",
      description: `How many of the ${DIGITS} digits that come with crcnn`,
    },
    ...cacheOptions,
  },
  async run(args) {
    const count = parseInteger("first", args.first, 1, DIGITS);
    const model = await loadModel(packagePath(`assets/models/${MODEL}.pt`));
    const labels = await readLabels();
    const set = await readImageFiles(
      labels.slice(0, count).map(({ file }) => packagePath(`assets/digits/${file}`)),
      {},
      model,
    );
    const progress = createProgress();
    const say = (text: string): void => void process.stdout.write(`${text}\n`);
    const starting = progress.step("Starting a server process");
    const server = await startServerProcess(packagePath("assets/models"), args.cache ? [] : ["--no-cache"]);
    try {
      starting.done(server.url);
      say(
        `server      process ${server.pid} at ${server.url} has the model (${MODEL}: ${describeModel(model)}), and no secret key`,
      );
      say(`client      this process, ${process.pid}, has the images and the secret key`);
      const session = await openRemote(server.url, MODEL, set, progress);
      const outcomes: Outcome[] = [];
      try {
        say(describeSetup(session));
        for (const [i, { tensor }] of set.images.entries()) {
          outcomes.push(await readDigit(session, tensor, runModel(model, tensor), labels[i]!.label, progress, say));
        }
      } finally {
        await session.close();
      }
      say(verdict(outcomes));
      if (!outcomes.every(({ agrees }) => agrees)) process.exitCode = 1;
    } finally {
      progress.abandon();
      await server.end();
    }
  },
});

async function readDigit(
  session: ClientSession,
  image: Tensor,
  plain: Tensor,
  label: number,
  progress: Progress,
  say: (text: string) => void,
): Promise<Outcome> {
  say(formatPicture(image.shape, image.data));
  const step = progress.step("Encrypting, evaluating on the server, decrypting");
  const { logits, bytes, milliseconds } = await session.classify(image);
  const { encrypt, transfer, evaluate, decrypt } = milliseconds;
  step.done(formatMilliseconds(encrypt + transfer + evaluate + decrypt));
  const { absolute, relative } = compareLogits(logits.data, plain.data);
  say(formatTable({ encrypted: logits.data, plain: plain.data }));
  say(`  on the wire ${formatBytes(bytes.up)} to the server, ${formatBytes(bytes.down)} back`);
  say(
    `  times       encrypt ${formatMilliseconds(encrypt)}, transfer ${formatMilliseconds(transfer)}, ` +
      `evaluate ${formatMilliseconds(evaluate)}, decrypt ${formatMilliseconds(decrypt)}`,
  );
  const best = argmax(logits.data);
  say(
    `  answer      ${best} (label ${label}); largest error ${absolute.toExponential(1)}, ${relative.toExponential(1)} of the largest logit\n`,
  );
  return { agrees: best === argmax(plain.data) && relative <= TOLERANCE, relativeError: relative };
}

function verdict(outcomes: readonly Outcome[]): string {
  const good = outcomes.filter(({ agrees }) => agrees).length;
  const worst = Math.max(...outcomes.map(({ relativeError }) => relativeError));
  return (
    `verdict     ${good} of ${outcomes.length} digits read on ciphertexts as in the clear; largest error ${worst.toExponential(1)} of the ` +
    `largest logit, ${TOLERANCE.toExponential(0)} was asked for`
  );
}

async function readLabels(): Promise<readonly { readonly file: string; readonly label: number }[]> {
  return JSON.parse(await readFile(packagePath("assets/digits/labels.json"), "utf8"));
}

function describeModel({
  layers,
}: {
  readonly layers: readonly { readonly layer: { readonly kind: string } }[];
}): string {
  return layers.map(({ layer }) => layer.kind).join(", ");
}
