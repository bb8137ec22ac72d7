/**
 * `npm run bench:predictions [-- name …]`: for every fixture network what `crcnn plan` predicts, from kernels timed on this machine, beside what is
 * measured; and how long planning takes. Ends with code 1 where a time is further than a factor of 1.5 from its prediction, or an error further
 * than 3 bits.
 */

import { readFileSync } from "node:fs";
import {
  type Compiled,
  compile,
  isBatch,
  type PlanReport,
  readModel,
  reportPlan,
  runModel,
  type SourceModel,
} from "crcnn/builder";
import { type CkksCiphertext, serializeCiphertexts } from "crcnn/ckks";
import { readImages, readNpy } from "crcnn/data";
import { createEngine, type Engine } from "crcnn/math";
import { createOwner, type KeyOwner } from "crcnn/owner";
import {
  calibrateCosts,
  createCkksBatchOperations,
  prepareBatchProgram,
  prepareProgram,
  runBatch,
  runEncrypted,
  type Tensor,
  WASM_COSTS,
} from "crcnn/plan";
import { freeCiphertext, serializeEvaluationKeys } from "crcnn/rlwe";
import { NETWORKS } from "./networks/networks.ts";
import { printTable } from "./report.ts";

/** Seen from `bench/dist`. */
const FIXTURES = new URL("../../test/fixtures/", import.meta.url);
/** Calibrations and evaluations take turns, so that what else the machine does falls on both. */
const ROUNDS = 4;
/** Evaluations in a round: as many as fit, at least one. */
const ROUND_MILLISECONDS = 300;
const LARGEST_FACTOR = 1.5;
const LARGEST_BITS = 3;

interface Subject {
  readonly name: string;
  readonly model: SourceModel;
  readonly images: readonly Tensor[];
  readonly objective: "latency" | "throughput";
}

interface Running {
  readonly owner: KeyOwner;
  /** Encrypts images, of which an evaluation takes as many as the plan's packing. */
  encrypt(images: readonly Tensor[]): CkksCiphertext[];
  evaluate(inputs: readonly CkksCiphertext[], onProgress?: () => void): CkksCiphertext[];
  decrypt(outputs: readonly CkksCiphertext[], count: number): Tensor[];
}

const read = (path: string): Uint8Array => readFileSync(new URL(path, FIXTURES));

function subjects(names: readonly string[]): Subject[] {
  const networks = [
    ...NETWORKS.map(({ name, samples }) => ({ name, samples, file: `${name}.pt` })),
    // With shortcuts.
    { name: "resblock", samples: "mnist16", file: "resblock.op13.onnx" },
  ];
  const found = networks.map(({ name, samples, file }): Subject => {
    const { shape, data } = readNpy(read(`samples/${samples}.input.npy`));
    const size = data.length / shape[0]!;
    const images = Array.from({ length: shape[0]! }, (_, i) => ({
      shape: shape.slice(1),
      data: data.slice(i * size, (i + 1) * size),
    }));
    return { name, model: readModel(read(`models/${name}/${file}`), { name: file }), images, objective: "latency" };
  });
  const lenet = found.find(({ name }) => name === "lenet1-square");
  const { images } = readImages(read("data/mnist-t10k-first1000-images-idx3-ubyte.gz"), "images");
  if (lenet) found.push({ ...lenet, images, objective: "throughput" });
  return names.length === 0 ? found : found.filter(({ name }) => names.includes(name));
}

async function start(network: Compiled, engine: Engine): Promise<Running> {
  const { manifest } = network;
  if (isBatch(network)) {
    const [segment] = network.manifest.segments;
    const owner = await createOwner(network.manifest, { engine });
    const [plan] = network.plans;
    const program = prepareBatchProgram(plan!, createCkksBatchOperations(plan!, owner.evaluator, segment!));
    const { capacity } = network.manifest;
    return {
      owner,
      encrypt: (images) =>
        owner.encryptBatch(
          segment!,
          Array.from({ length: capacity }, (_, i) => images[i % images.length]!),
        ),
      evaluate: (inputs, onProgress) => runBatch(program, inputs, onProgress ? { onProgress } : {}),
      decrypt: (outputs, count) => owner.decryptBatch(segment!, outputs, count),
    };
  }
  const [segment] = network.manifest.segments;
  const owner = await createOwner(manifest, { engine });
  const program = prepareProgram(network.plans[0]!, network.schedules[0]!, owner.evaluator.encoder);
  return {
    owner,
    encrypt: ([image]) => owner.encryptInput(segment!, image!),
    evaluate: (inputs, onProgress) => runEncrypted(program, owner.evaluator.operations, inputs, { onProgress }),
    decrypt: (outputs) => [owner.decryptOutput(segment!, outputs)],
  };
}

/** Largest error of any image, relative to its own largest logit. */
function worstError(model: SourceModel, images: readonly Tensor[], running: Running, perEvaluation: number): number {
  let worst = 0;
  for (let first = 0; first < images.length; first += perEvaluation) {
    const own = images.slice(first, first + perEvaluation);
    const inputs = running.encrypt(own);
    const outputs = running.evaluate(inputs);
    for (const [i, { data }] of running.decrypt(outputs, own.length).entries()) {
      const expected = runModel(model, own[i]!).data;
      const largest = Math.max(...expected.map(Math.abs));
      worst = Math.max(worst, ...expected.map((value, k) => Math.abs(value - data[k]!) / largest));
    }
    [...inputs, ...outputs].forEach(freeCiphertext);
  }
  return worst;
}

/** Bytes of a list of ciphertexts, which are all alike. */
function wireBytes({ context }: KeyOwner, ciphertexts: readonly CkksCiphertext[]): number {
  return ciphertexts.length * serializeCiphertexts(context, ciphertexts.slice(0, 1)).length;
}

/**
 * The least time of each step, over several runs of the same steps, while this process had the processor: what they take where nothing else
 * computes. On a quiet machine the sum is a twentieth below the least time of a whole run.
 */
function createLeasts(): { begin(): void; step(): void; seconds(): number } {
  const leasts: number[] = [];
  let at = 0;
  let last = { wall: 0, processor: 0 };
  const now = (): typeof last => {
    const { user, system } = process.cpuUsage();
    return { wall: performance.now(), processor: (user + system) / 1000 };
  };
  return {
    begin() {
      at = 0;
      last = now();
    },
    step() {
      const { wall, processor } = now();
      const took = Math.min(wall - last.wall, processor - last.processor);
      // The system's clock of a process may stand still for a moment.
      if (took > 0) leasts[at] = Math.min(leasts[at] ?? Number.POSITIVE_INFINITY, took);
      at++;
      last = { wall, processor };
    },
    seconds: () => leasts.reduce((sum, milliseconds) => sum + milliseconds, 0) / 1000,
  };
}

interface Outcome {
  readonly cells: readonly string[];
  readonly within: boolean;
}

async function measure({ name, model, images, objective }: Subject): Promise<Outcome> {
  const planningTime = createLeasts();
  planningTime.begin();
  const network = compile(model, { inputShape: images[0]!.shape, objective });
  planningTime.step();
  const planning = planningTime.seconds();
  const engine = createEngine();
  const { heap, parameters } = reportPlan(model, network, WASM_COSTS);
  const calibrate = (): PlanReport => {
    const streamedBytes = heap.keys + heap.weights;
    return reportPlan(
      model,
      network,
      calibrateCosts(createEngine(), { ringDegree: parameters.ringDegree, streamedBytes }),
    );
  };
  let predicted = calibrate();
  const running = await start(network, engine);
  const inputs = running.encrypt(images);
  let peak = 0;
  const outputs = running.evaluate(inputs, () => {
    const { used, permanent } = engine.heap.usage();
    peak = Math.max(peak, used + permanent);
  });
  const { context, evaluationKeys } = running.owner;
  const bytes = {
    keys: serializeEvaluationKeys(context, evaluationKeys).length,
    up: wireBytes(running.owner, inputs),
    down: wireBytes(running.owner, outputs),
  };
  outputs.forEach(freeCiphertext);
  const steps = createLeasts();
  for (let round = 0; round < ROUNDS; round++) {
    const again = calibrate();
    if (again.seconds < predicted.seconds) predicted = again;
    const begun = performance.now();
    do {
      steps.begin();
      running.evaluate(inputs, steps.step).forEach(freeCiphertext);
      steps.step();
    } while (performance.now() - begun < ROUND_MILLISECONDS);
  }
  inputs.forEach(freeCiphertext);
  const least = steps.seconds();
  const error = worstError(model, images, running, predicted.images);
  running.owner.destroy();
  const factor = least / predicted.seconds;
  const bits = -Math.log2(error);
  const within =
    Math.max(factor, 1 / factor) <= LARGEST_FACTOR && Math.abs(bits - predicted.precision.bits) <= LARGEST_BITS;
  const milliseconds = (seconds: number): string => (1000 * seconds).toFixed(seconds < 0.01 ? 2 : 1);
  const megabytes = (count: number): string => (count / 1e6).toFixed(2);
  const pair = (expected: number, found: number): string => `${megabytes(expected)} / ${megabytes(found)}`;
  return {
    within,
    cells: [
      objective === "latency" ? name : `${name}, batch`,
      `${parameters.ringDegree}`,
      planning.toFixed(1),
      milliseconds(predicted.seconds),
      milliseconds(least),
      factor.toFixed(2),
      predicted.precision.bits.toFixed(1),
      bits.toFixed(1),
      pair(predicted.keys.bytes, bytes.keys),
      pair(predicted.ciphertexts.bytesUp, bytes.up),
      pair(predicted.ciphertexts.bytesDown, bytes.down),
      pair(heap.total, peak),
      within ? "" : "OFF",
    ],
  };
}

const HEADER = [
  "network",
  "N",
  "planning, s",
  "predicted, ms",
  "measured, ms",
  "ratio",
  "predicted bits",
  "measured",
  "keys, MB",
  "up, MB",
  "down, MB",
  "heap, MB",
  "",
];

const outcomes: Outcome[] = [];
for (const subject of subjects(process.argv.slice(2))) {
  outcomes.push(await measure(subject));
  console.error(outcomes.at(-1)!.cells.join("  "));
}
printTable([HEADER, ...outcomes.map(({ cells }) => cells)]);
if (!outcomes.every(({ within }) => within)) process.exitCode = 1;
