/**
 * LeNet-1 on a batch of images under BFV, on exact integers: microseconds for one image, all plain moduli together. One of the evaluations is
 * timed, since all do the same.
 */

import { compile, loadTorch, runModel } from "crcnn/builder";
import { readImages, readLabels } from "crcnn/data";
import { createOwner } from "crcnn/owner";
import { createIntegerBatchOperations, prepareBatchProgram, runBatch, runIntegerClear } from "crcnn/plan";
import { freeCiphertext, modulusBits } from "crcnn/rlwe";
import type { Case } from "../measure.ts";
import { type BatchBench, read, SHAPE, serveAlone } from "./batch.ts";

/** Images whose logits are held against the integer reference. */
const EXACT = 64;
const PEER = "the packing for latency, one image";

/** @param options What `compile` is called with besides. */
export async function integerBench(options: { readonly weightBits?: number } = {}): Promise<BatchBench> {
  const model = loadTorch(read("models/lenet1-square/lenet1-square.pt"), "lenet1-square");
  const { images } = readImages(read("data/mnist-t10k-first1000-images-idx3-ubyte.gz"), "images");
  const labels = readLabels(read("data/mnist-t10k-first1000-labels-idx1-ubyte.gz"), "labels");
  const { manifest, plans, costs } = compile(model, { inputShape: SHAPE, scheme: "bfv", ...options });
  const [segment, plan] = [manifest.segments[0]!, plans[0]!];
  const { capacity, plainModuli, parameters } = manifest;
  const owner = await createOwner(manifest);
  const programs = owner.evaluators.map((evaluator) =>
    prepareBatchProgram(plan, createIntegerBatchOperations(plan, evaluator, segment)),
  );
  const alone = await serveAlone(model, images[0]!);
  const batch = Array.from({ length: capacity }, (_, i) => images[i % images.length]!);
  const encrypt = (residue: number): ReturnType<typeof owner.encryptBatch> =>
    owner.encryptBatch(segment, batch, residue);
  const outputs = programs.map((program, i) => runBatch(program, encrypt(i), { onInputDone: freeCiphertext }));
  const inputs = encrypt(0);

  const primes = [...parameters.dataPrimes, ...parameters.specialPrimes];
  const plainBits = Math.round(Math.log2(plainModuli[0]!));
  const params =
    `N=${parameters.ringDegree}, log2 QP ${modulusBits(primes).toFixed(0)}, ${plainModuli.length} plain moduli of ${plainBits} bits, one of ` +
    `${capacity} images${options.weightBits === undefined ? "" : `, weights of ${options.weightBits} bits`}`;
  const notes: string[] = [];
  function verify(): void {
    const found = owner.decryptIntegers(segment, outputs, EXACT);
    for (const [i, integers] of found.entries()) {
      const expected = runIntegerClear(plan, segment.inputScale, batch[i]!);
      if (integers.some((value, k) => value !== expected[k])) {
        throw new Error(`image ${i} is not what the integer network yields`);
      }
    }
    const right = owner
      .decryptBatch(segment, outputs, labels.length)
      .filter(({ data }, i) => data.indexOf(Math.max(...data)) === labels[i]).length;
    const plain = images.filter((image, i) => {
      const { data } = runModel(model, image);
      return data.indexOf(Math.max(...data)) === labels[i];
    }).length;
    const heap = owner.contexts[0]!.ring.heap.usage().reserved;
    notes.push(
      `${params}: ${EXACT} images bit for bit, ${right} of ${labels.length} right (plain: ${plain}), heap ${(heap / 1e6).toFixed(0)} MB`,
    );
  }

  const name = "batch-bfv/lenet1-square";
  const shared = { params, peer: PEER, verify: () => {} };
  const cases: Case[] = [
    {
      ...shared,
      name,
      per: capacity / plainModuli.length,
      ours: () => runBatch(programs[0]!, inputs).forEach(freeCiphertext),
      theirs: alone.evaluate,
      verify,
      bytes: (plainModuli.length * costs[0]!.inputBytes) / capacity,
    },
    {
      ...shared,
      name: `${name}-encrypt`,
      per: capacity / plainModuli.length,
      ours: () => encrypt(0).forEach(freeCiphertext),
      theirs: alone.encrypt,
    },
    {
      ...shared,
      name: `${name}-decrypt`,
      per: capacity,
      ours: () => void owner.decryptBatch(segment, outputs, capacity),
      theirs: alone.decrypt,
    },
  ];
  return { cases, notes, close: async () => owner.destroy() };
}
