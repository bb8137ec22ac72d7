/** LeNet-1 on a batch of images, a slot an image: microseconds for one image, against the same image alone in the packing for latency. */

import { readFileSync } from "node:fs";
import { type CompiledBatch, compile, loadTorch, runModel, type SourceModel } from "crcnn/builder";
import type { CkksCiphertext } from "crcnn/ckks";
import { readImages, readLabels } from "crcnn/data";
import { createEngine, createThreadedEngine, type Engine } from "crcnn/math";
import { createOwner } from "crcnn/owner";
import {
  createCkksBatchOperations,
  prepareBatchProgram,
  prepareProgram,
  runBatch,
  runEncrypted,
  type Tensor,
} from "crcnn/plan";
import { freeCiphertext, modulusBits } from "crcnn/rlwe";
import type { Case } from "../measure.ts";

/** Seen from `bench/dist/networks`. */
const FIXTURES = new URL("../../../test/fixtures/", import.meta.url);
export const SHAPE: readonly number[] = [1, 28, 28];
/** Relative to an image's largest logit: what compile() promises by default. */
const PRECISION = 1e-3;
/** How far from its prediction the error of rounded weights may be. */
const ROUNDING_FACTOR = 4;

export const read = (path: string): Uint8Array => readFileSync(new URL(path, FIXTURES));

export interface BatchBench {
  readonly cases: readonly Case[];
  /** What verification found, and the memory that it took. */
  readonly notes: readonly string[];
  close(): Promise<void>;
}

/** Evaluation with weights of full precision, with eight bits, and on two threads; the client's side of the first. */
export async function batchBench(): Promise<BatchBench> {
  const model = loadTorch(read("models/lenet1-square/lenet1-square.pt"), "lenet1-square");
  const { images } = readImages(read("data/mnist-t10k-first1000-images-idx3-ubyte.gz"), "images");
  const labels = readLabels(read("data/mnist-t10k-first1000-labels-idx1-ubyte.gz"), "labels");
  const plain = images.map((image) => runModel(model, image));
  const options = { inputShape: SHAPE, objective: "throughput" } as const;
  const [full, bytes] = [compile(model, options), compile(model, { ...options, weightBits: 8 })];
  const alone = await serveAlone(model, images[0]!);
  const two = await createThreadedEngine({ threads: 2 });
  const notes: string[] = [];
  const servers = [
    { suffix: "", precision: PRECISION, ...(await serve(full, createEngine())) },
    { suffix: ", 2 threads", precision: PRECISION, ...(await serve(full, two)) },
    {
      suffix: ", weights of 8 bits",
      precision: ROUNDING_FACTOR * bytes.predictedError,
      ...(await serve(bytes, createEngine())),
    },
  ];

  function check(title: string, found: readonly Tensor[], precision: number, heapBytes: number): void {
    let worst = 0;
    let right = 0;
    for (const [i, { data }] of found.entries()) {
      const expected = plain[i % plain.length]!.data;
      const largest = Math.max(...expected.map(Math.abs));
      worst = Math.max(worst, ...expected.map((value, k) => Math.abs(data[k]! - value) / largest));
      if (i < labels.length && data.indexOf(Math.max(...data)) === labels[i]) right++;
    }
    if (!(worst <= precision)) throw new Error(`an error of ${worst}, expected at most ${precision}`);
    notes.push(
      `${title}: error at most ${worst.toExponential(1)} of an image's largest logit over ${found.length} images, ${right} of the first ` +
        `${labels.length} right, heap ${(heapBytes / 1e6).toFixed(0)} MB`,
    );
  }

  const evaluations = servers.map((server): Case => {
    const { name, params } = describe(server.network);
    const batch = Array.from({ length: server.network.manifest.capacity }, (_, i) => images[i % images.length]!);
    const inputs = server.encrypt(batch);
    return {
      name,
      params: params + server.suffix,
      per: batch.length,
      ours: () => server.evaluate(inputs).forEach(freeCiphertext),
      peer: "the packing for latency, one image",
      theirs: alone.evaluate,
      verify: () => {
        const outputs = server.evaluate(inputs);
        const found = server.decrypt(outputs, batch.length);
        outputs.forEach(freeCiphertext);
        check(params + server.suffix, found, server.precision, server.heapBytes());
      },
      bytes: server.network.costs[0]!.inputBytes / batch.length,
    };
  });

  const [server] = servers;
  const { name, params } = describe(full);
  const batch = Array.from({ length: full.manifest.capacity }, (_, i) => images[i % images.length]!);
  const outputs = server!.evaluate(server!.encrypt(batch));
  const client: Case[] = [
    {
      name: `${name}-encrypt`,
      params,
      per: batch.length,
      ours: () => server!.encrypt(batch).forEach(freeCiphertext),
      peer: "the packing for latency, one image",
      theirs: alone.encrypt,
      verify: () => {},
    },
    {
      name: `${name}-decrypt`,
      params,
      per: batch.length,
      ours: () => void server!.decrypt(outputs, batch.length),
      peer: "the packing for latency, one image",
      theirs: alone.decrypt,
      verify: () =>
        check(`${params}, decryption`, server!.decrypt(outputs, batch.length), PRECISION, server!.heapBytes()),
    },
  ];
  return { cases: [...evaluations, ...client], notes, close: two.close };
}

/** LeNet-1 in the packing for latency: the yardstick of batches. */
export async function serveAlone(
  model: SourceModel,
  image: Tensor,
): Promise<Record<"encrypt" | "evaluate" | "decrypt", () => void>> {
  const { manifest, plans, schedules } = compile(model, { inputShape: SHAPE });
  const owner = await createOwner(manifest);
  const [segment] = manifest.segments;
  const program = prepareProgram(plans[0]!, schedules[0]!, owner.evaluator.encoder);
  const input = owner.encryptInput(segment!, image);
  const run = (): CkksCiphertext[] => runEncrypted(program, owner.evaluator.operations, input);
  const output = run();
  return {
    encrypt: () => owner.encryptInput(segment!, image).forEach(freeCiphertext),
    evaluate: () => run().forEach(freeCiphertext),
    decrypt: () => void owner.decryptOutput(segment!, output),
  };
}

function describe({ manifest }: CompiledBatch): { name: string; params: string } {
  const { ringDegree, dataPrimes, specialPrimes } = manifest.parameters;
  const bits = modulusBits([...dataPrimes, ...specialPrimes]).toFixed(0);
  return {
    name: "batch/lenet1-square",
    params: `N=${ringDegree}, log2 QP ${bits}, one of ${manifest.capacity} images`,
  };
}

interface BatchServer {
  readonly network: CompiledBatch;
  encrypt(images: readonly Tensor[]): CkksCiphertext[];
  evaluate(inputs: readonly CkksCiphertext[]): CkksCiphertext[];
  decrypt(outputs: readonly CkksCiphertext[], count: number): Tensor[];
  heapBytes(): number;
}

async function serve(network: CompiledBatch, engine: Engine): Promise<BatchServer> {
  const { manifest, plans } = network;
  const owner = await createOwner(manifest, { engine });
  const segment = manifest.segments[0]!;
  const operations = createCkksBatchOperations(plans[0]!, owner.evaluator, segment);
  const program = prepareBatchProgram(plans[0]!, operations);
  return {
    network,
    encrypt: (images) => owner.encryptBatch(segment, images),
    evaluate: (inputs) => runBatch(program, inputs),
    decrypt: (outputs, count) => owner.decryptBatch(segment, outputs, count),
    heapBytes: () => owner.context.ring.heap.usage().reserved,
  };
}
