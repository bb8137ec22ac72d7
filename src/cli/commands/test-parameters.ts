/** crcnn test-parameters: sets of encryption parameters, tried on one image. */

import { writeFile } from "node:fs/promises";
import { readModel, type SourceModel, selectLayers } from "../../builder/index.ts";
import { MAX_THREADS } from "../../math/index.ts";
import { parseTesterConfiguration, type SetReport, type TesterConfiguration } from "../../tester/index.ts";
import { parseInteger } from "../arguments.ts";
import { type Command, defineCommand } from "../command.ts";
import { datasetOptions, readTestImage } from "../dataset.ts";
import { UsageError } from "../failure.ts";
import { modelOptions, readModelFile, readNamed } from "../files.ts";
import { formatMilliseconds } from "../format.ts";
import { createProgress, paint } from "../progress.ts";
import { runTrials, type TrialTask } from "../set-trials.ts";

export const testParameters: Command = defineCommand({
  name: "test-parameters",
  description:
    "Try sets of encryption parameters on an image, beside the same model in the clear; JSON on standard output",
  args: {
    config: {
      type: "positional",
      required: true,
      description:
        'A JSON file as PyCrCNN\'s, with "encryption_parameters": a list of { m, p, sec, base, rencrypt_positions }, { "scheme": "ckks" }, or {}',
    },
    model: { type: "string", valueHint: "FILE", description: 'The model, instead of the file\'s "model_path"' },
    ...modelOptions,
    image: {
      type: "string",
      valueHint: "FILE",
      description: 'PNG, .npy or IDX, gzipped or not, or with --data a name; instead of the file\'s "dataset"',
    },
    ...datasetOptions,
    layers: {
      type: "string",
      valueHint: "NUMBERS",
      description: 'Layers to run encrypted, as 0,1,2; all by default; instead of the file\'s "layers"',
    },
    threads: {
      type: "string",
      valueHint: "N",
      description: 'Sets that are tried at once; 1 by default; instead of the file\'s "max_threads"',
    },
    out: { type: "string", valueHint: "FILE", description: "Where the JSON goes, instead of standard output" },
  },
  async run(args) {
    const configuration = parseTesterConfiguration(new TextDecoder().decode(await readNamed(args.config)), args.config);
    const { sets, debug, maxThreads = 1 } = configuration;
    const threads = args.threads === undefined ? maxThreads : parseInteger("threads", args.threads, 1, MAX_THREADS);
    const index = args.index === undefined ? 0 : parseInteger("index", args.index, 0, Number.MAX_SAFE_INTEGER - 1);
    const layers = args.layers === undefined ? configuration.layers : parseLayers(args.layers);
    const modelFile = fieldOf(args.model ?? configuration.modelPath, "model_path", "--model");
    const dataset = fieldOf(args.image ?? configuration.dataset, "dataset", "--image");

    const source = await readModelFile(modelFile, args.architecture);
    const model = readModel(source.bytes, source);
    const { tensor, inputRange } = await readTestImage(dataset, args.data, index, upTo(model, layers));
    const tasks = sets.map(
      (set): TrialTask => ({
        model: source,
        image: tensor,
        set,
        options: { debug, layers, inputRange },
      }),
    );
    const progress = createProgress();
    try {
      const step = progress.step(`Trying ${sets.length} ${sets.length === 1 ? "set" : "sets"}`);
      await paint();
      const summaries: string[] = [];
      const reports = await runTrials(tasks, threads, (at, report) => {
        summaries[at] = summarize(report);
        step.update(summaries.filter(Boolean).length, sets.length);
      });
      step.done(summaries.join("; "));
      const json = `${JSON.stringify(reports, undefined, 2)}\n`;
      if (args.out === undefined) process.stdout.write(json);
      else await writeFile(args.out, json);
    } finally {
      progress.abandon();
    }
  },
});

function fieldOf(value: string | undefined, field: string, flag: string): string {
  if (value !== undefined) return value;
  throw new UsageError(`${field} is in neither the configuration nor the arguments; name a file with ${flag}`);
}

function parseLayers(text: string): number[] {
  const layers = text.split(",").map((part) => (/^\s*\d+\s*$/.test(part) ? Number(part) : Number.NaN));
  if (layers.every((layer) => Number.isSafeInteger(layer))) return layers;
  throw new UsageError(`--layers takes layer numbers with commas between them, as 0,1,2, got ${JSON.stringify(text)}`);
}

/** The layers that the image goes through, in the clear or encrypted; those behind may be unsupported. */
function upTo(model: SourceModel, layers: TesterConfiguration["layers"]): SourceModel {
  if (layers === undefined) return model;
  try {
    const last = selectLayers(model, layers).layers.at(-1);
    return { layers: model.layers.filter(({ index }) => index <= (last?.index ?? 0)) };
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

function summarize({ error, final_max_error, milliseconds }: SetReport): string {
  if (error || final_max_error === undefined) return `no answer (${error?.code})`;
  return `largest error ${final_max_error.toExponential(1)} in ${formatMilliseconds(milliseconds ?? 0)}`;
}
