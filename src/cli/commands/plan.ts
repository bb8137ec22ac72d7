/** crcnn plan: what a model will take, before any key exists. */

import {
  type CkksCompileOptions,
  type Compiled,
  type compile as compileNetwork,
  findAlternatives,
  type PlanReport,
  type SourceModel,
} from "../../builder/index.ts";
import { CrcnnError } from "../../errors/index.ts";
import type { Shape } from "../../plan/index.ts";
import { activationOptions, lowerDegrees, type PreparedModel, parseActivations, prepareModel } from "../activations.ts";
import { parseChoice, parseIntegers, parseShape, parseThreads } from "../arguments.ts";
import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../failure.ts";
import { loadModel, modelOptions } from "../files.ts";
import { imageOptions } from "../images.ts";
import { inputShapeFor } from "../input-shape.ts";
import { openEngine, reportHere } from "../machine.ts";
import { cachedCompile, cacheOptions } from "../plan-cache.ts";
import { type Change, describeChange, describePreflight, type FittingChange, type Preflight } from "../plan-report.ts";
import { createProgress, type Progress, paint } from "../progress.ts";

const BACKENDS = ["ts", "wasm"] as const;
const OBJECTIVES = ["latency", "memory", "throughput"] as const;
/** What is looked for where nothing says how large images are. */
const USUAL_SHAPE: Shape = [1, 28, 28];

export const plan: Command = defineCommand({
  name: "plan",
  description: "Say what a model will take, before any key exists: parameters, keys, bytes, memory, seconds, precision",
  args: {
    model: { type: "positional", required: true, description: "A file of a model, as crcnn run takes it" },
    ...modelOptions,
    "input-shape": {
      type: "string",
      valueHint: "SHAPE",
      description: "Shape of one input, as 1x28x28; the smallest square image that the model takes by default",
    },
    precision: {
      type: "string",
      valueHint: "ERROR",
      description: "Largest error of an output, relative to the largest one; 0.001 by default",
    },
    objective: {
      type: "string",
      valueHint: OBJECTIVES.join("|"),
      description:
        "One image in the least time (the default) or in the least memory, or thousands at once with the most images a second",
    },
    refresh: {
      type: "string",
      valueHint: "LAYERS",
      description: "Numbers of layers, with commas, before which the key's owner encrypts afresh",
    },
    backend: {
      type: "string",
      valueHint: "ts|wasm",
      description: "Kernels to predict for; the faster ones by default",
    },
    threads: { type: "string", valueHint: "N|auto", description: "Threads to predict for; 1 by default" },
    ...activationOptions,
    mean: imageOptions.mean,
    std: imageOptions.std,
    json: { type: "boolean", description: "One line of JSON on standard output, nothing else" },
    ...cacheOptions,
  },
  async run(args) {
    const objective = parseChoice("objective", args.objective ?? "latency", OBJECTIVES);
    const precision = args.precision === undefined ? undefined : Number(args.precision);
    const rencryptPositions = args.refresh === undefined ? undefined : parseIntegers("refresh", args.refresh, ",");
    const backend = args.backend === undefined ? undefined : parseChoice("backend", args.backend, BACKENDS);
    const threads = args.threads === undefined ? undefined : parseThreads(args.threads);
    const wantedShape = args["input-shape"] === undefined ? undefined : parseShape(args["input-shape"]);
    const choice = parseActivations(args);
    const exact = await loadModel(args.model, args.architecture, choice.mode !== "none");
    const inputShape = wantedShape ?? inputShapeFor(exact, USUAL_SHAPE);
    if (!inputShape) throw new UsageError("no square image fits the model; say which does with --input-shape");

    const compile = await cachedCompile(args.cache);
    const engine = await openEngine({ backend, threads });
    const progress = createProgress();
    try {
      const { model, activations, fitted } = await prepareModel(exact, choice, args, progress);
      const report = (network: Compiled, of = model): PlanReport => {
        const found = reportHere(of, network, engine);
        return objective === "memory" && found.objective === "latency" ? { ...found, objective } : found;
      };
      const outcome = await preflight(
        { model, fitted },
        {
          inputShape,
          precision,
          objective,
          rencryptPositions,
          activations,
          calibration: fitted?.samples,
          inputRange: fitted?.inputRange,
        },
        compile,
        report,
        progress,
      );
      process.stdout.write(args.json ? `${JSON.stringify(outcome)}\n` : describePreflight(outcome));
      if (outcome.fits) return;
      process.exitCode = 1;
    } finally {
      progress.abandon();
      await engine.close();
    }
  },
});

async function preflight(
  { model, fitted }: Pick<PreparedModel, "model" | "fitted">,
  options: CkksCompileOptions,
  compile: typeof compileNetwork,
  report: (network: Compiled, model?: SourceModel) => PlanReport,
  progress: Progress,
): Promise<Preflight> {
  const compiling = progress.step("Choosing layouts and parameters");
  await paint();
  let failure: unknown;
  let found: PlanReport | undefined;
  try {
    found = report(compile(model, options));
    compiling.done(found.fitsHeap ? "found some" : "found some that need too much memory");
    if (found.fitsHeap) return { fits: true, report: found };
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    if (!(error instanceof CrcnnError && error.code === "NO_PARAMETERS")) throw error;
    compiling.done("found none");
    failure = error;
  }
  const alternatives: FittingChange[] = [];
  const onAttempt = (change: Change): void => progress.step("Looking for what fits").done(describeChange(change));
  // Each takes a fifth of a second, and is wanted once more where the network fits.
  const reports = new Map<Compiled, PlanReport>();
  const fits = (network: Compiled): boolean => {
    const own = report(network);
    reports.set(network, own);
    return own.fitsHeap;
  };
  for (const { model: lower, fit, degree } of fitted ? lowerDegrees(fitted) : []) {
    const change = { polynomials: { degree, agreement: fit.agreement } };
    onAttempt(change);
    const plan = tryReport(() => report(compile(lower, options), lower));
    if (!plan?.fitsHeap) continue;
    alternatives.push({ change, report: plan });
    break;
  }
  for (const { change, network } of findAlternatives(model, options, { compile, failure, fits, onAttempt })) {
    alternatives.push({ change, report: reports.get(network)! });
  }
  const error = failure instanceof CrcnnError ? { code: failure.code, message: failure.message } : TOO_LARGE;
  return { fits: false, error, ...(found ? { report: found } : {}), alternatives };
}

/** Undefined where there are no parameters. */
function tryReport(make: () => PlanReport): PlanReport | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof CrcnnError && error.code === "NO_PARAMETERS") return undefined;
    throw error;
  }
}

const TOO_LARGE = {
  code: "MEMORY_LIMIT",
  message: "the evaluator's heap would grow past the 4 GiB that it may have",
} as const;
