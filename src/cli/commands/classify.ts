/** crcnn classify: images encrypted here, evaluated by a server. */

import { parseChoice } from "../arguments.ts";
import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../failure.ts";
import { argmax, formatBytes, formatMilliseconds, formatTable } from "../format.ts";
import { imageOptions, readImageFiles } from "../images.ts";
import { createProgress } from "../progress.ts";
import { describeSetup, openRemote } from "../remote.ts";

export const classify: Command = defineCommand({
  name: "classify",
  description: "Encrypt images, have a server's model evaluated on them, decrypt the results",
  repeats: true,
  args: {
    image: { type: "positional", required: true, description: "PNG, .npy or IDX files, as for crcnn run" },
    server: {
      type: "string",
      required: true,
      valueHint: "URL",
      description: "Address of a crcnn server, as http://127.0.0.1:8080",
    },
    model: { type: "string", required: true, valueHint: "NAME", description: "Which of its models" },
    activations: {
      type: "string",
      valueHint: "client",
      description:
        "For models with ReLU, SiLU, MaxPool2d and the like: this client decrypts before each, applies it and encrypts again",
    },
    scheme: {
      type: "string",
      valueHint: "ckks",
      description: "ckks, which is the default; bfv runs batches, which servers do not: crcnn run --scheme bfv does",
    },
    ...imageOptions,
  },
  async run(args) {
    if (args.scheme !== undefined && parseChoice("scheme", args.scheme, ["ckks", "bfv"]) === "bfv") {
      throw new UsageError(
        "--scheme bfv runs batches, which servers do not; use crcnn run --scheme bfv, or --scheme ckks",
      );
    }
    const url = URL.canParse(args.server) ? new URL(args.server) : undefined;
    if (url?.username || url?.password) {
      throw new UsageError("--server takes an address without a user name and password, as http://127.0.0.1:8080");
    }
    if (url?.protocol !== "http:" && url?.protocol !== "https:") {
      throw new UsageError(`--server takes an address as http://127.0.0.1:8080, got ${JSON.stringify(args.server)}`);
    }
    const activations =
      args.activations === undefined ? undefined : parseChoice("activations", args.activations, ["client"]);
    const set = await readImageFiles(args._, args);
    const progress = createProgress();
    try {
      const session = await openRemote(args.server, args.model, set, progress, activations);
      try {
        if (!args.json) process.stdout.write(describeSetup(session));
        const { keys } = session.setup.milliseconds;
        for (const { name, tensor } of set.images) {
          const { logits, bytes, milliseconds } = await session.classify(tensor);
          const values = Array.from(logits.data);
          const result = {
            image: name,
            logits: values,
            argmax: argmax(values),
            bytes,
            milliseconds: { keys, ...milliseconds },
          };
          process.stdout.write(args.json ? `${JSON.stringify(result)}\n` : describe(result));
        }
      } finally {
        await session.close();
      }
    } finally {
      progress.abandon();
    }
  },
});

interface Result {
  readonly image: string;
  readonly logits: readonly number[];
  readonly argmax: number;
  readonly bytes: { readonly up: number; readonly down: number };
  readonly milliseconds: {
    readonly encrypt: number;
    readonly transfer: number;
    readonly evaluate: number;
    readonly decrypt: number;
  };
}

function describe({ image, logits, argmax: best, bytes, milliseconds }: Result): string {
  const { encrypt, transfer, evaluate, decrypt } = milliseconds;
  return (
    `${image}: ${best}\n${formatTable({ decrypted: logits })}\n` +
    `  ${formatBytes(bytes.up)} sent, ${formatBytes(bytes.down)} received; encrypted in ${formatMilliseconds(encrypt)}, sent in ` +
    `${formatMilliseconds(transfer)}, evaluated in ${formatMilliseconds(evaluate)}, decrypted in ${formatMilliseconds(decrypt)}\n`
  );
}
