/** crcnn client: layers of a served model on one image, from a client file as PyCrCNN has it. */

import { runModel, type SourceModel, selectLayers } from "../../builder/index.ts";
import { type ComputeConfig, type ComputedLayers, computeLayers, parseClientConfig } from "../../client/index.ts";
import type { Tensor } from "../../plan/index.ts";
import { type Comparison, compareTensors } from "../../tester/index.ts";
import { parseInteger } from "../arguments.ts";
import { type Command, defineCommand } from "../command.ts";
import { datasetOptions, readTestImage } from "../dataset.ts";
import { UsageError } from "../failure.ts";
import { loadLayers, modelOptions, readNamed } from "../files.ts";
import { argmax, formatBytes, formatMilliseconds, formatTable } from "../format.ts";
import { createProgress } from "../progress.ts";
import { reportSteps } from "../remote.ts";

export const client: Command = defineCommand({
  name: "client",
  description: "Have layers of a server's model computed on an encrypted image, as a client file says",
  args: {
    config: {
      type: "positional",
      required: true,
      description: 'A JSON file as PyCrCNN\'s, with "address", "encryption_parameters", "net" and "layers"',
    },
    image: {
      type: "string",
      valueHint: "FILE",
      description: 'PNG, .npy or IDX, gzipped or not, or with --data a name; instead of the file\'s "image"',
    },
    ...datasetOptions,
    debug: { type: "boolean", description: "Compare with the model in the clear, which --model names" },
    model: { type: "string", valueHint: "FILE", description: "The same model as the server's, for --debug" },
    ...modelOptions,
    json: { type: "boolean", description: "One line of JSON on standard output, nothing else" },
  },
  async run(args) {
    const config = parseClientConfig(new TextDecoder().decode(await readNamed(args.config)), args.config);
    const index = args.index === undefined ? 0 : parseInteger("index", args.index, 0, Number.MAX_SAFE_INTEGER - 1);
    const image = args.image ?? config.image;
    if (image === undefined) {
      throw new UsageError("image is in neither the configuration nor the arguments; name a file with --image");
    }
    const debug = args.debug || config.debug;
    if (debug && args.model === undefined) {
      throw new UsageError("--debug compares with the model in the clear; name its file with --model");
    }
    const model = debug ? await plainLayers(args.model as string, args.architecture, config) : undefined;
    const { tensor } = await readTestImage(image, args.data, index, model);
    const progress = createProgress();
    try {
      const computed = await computeLayers(config, tensor, { onProgress: reportSteps(progress) });
      const plain = model && runModel(model, tensor);
      process.stdout.write(
        args.json ? `${JSON.stringify(toJson(config, computed, plain))}\n` : describe(computed, plain),
      );
    } finally {
      progress.abandon();
    }
  },
});

async function plainLayers(
  file: string,
  architecture: string | undefined,
  { layers }: ComputeConfig,
): Promise<SourceModel> {
  const model = await loadLayers(file, architecture);
  try {
    return selectLayers(model, layers);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`${file}: ${error.message}`);
    throw error;
  }
}

function toJson({ net, layers }: ComputeConfig, computed: ComputedLayers, plain: Tensor | undefined): object {
  const { output, rounds, bytes, milliseconds } = computed;
  const values = Array.from(output.data);
  const comparison = plain && compareTensors(output, plain);
  return {
    net,
    layers,
    shape: output.shape,
    values,
    argmax: argmax(values),
    ...comparison,
    rounds,
    bytes,
    milliseconds,
  };
}

function describe({ output, rounds, bytes, milliseconds }: ComputedLayers, plain: Tensor | undefined): string {
  const { keys, encrypt, transfer, evaluate, decrypt } = milliseconds;
  const rows = plain ? { decrypted: output.data, plain: plain.data } : { decrypted: output.data };
  return (
    `shape ${output.shape.join("x")}, largest at ${argmax(output.data)}\n${formatTable(rows)}\n` +
    (plain ? `  ${describeErrors(compareTensors(output, plain))}\n` : "") +
    `  ${rounds === 1 ? "one request" : `${rounds} requests`}, ${formatBytes(bytes.up)} sent, ${formatBytes(bytes.down)} received; ` +
    `keys ${formatMilliseconds(keys)}, encrypted in ${formatMilliseconds(encrypt)}, sent in ${formatMilliseconds(transfer)}, ` +
    `evaluated in ${formatMilliseconds(evaluate)}, decrypted in ${formatMilliseconds(decrypt)}\n`
  );
}

function describeErrors({ max_error, max_error_position, average_error }: Comparison): string {
  return `largest error ${max_error.toExponential(1)} at [${max_error_position.join(", ")}], average ${average_error.toExponential(1)}`;
}
