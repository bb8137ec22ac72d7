import { afterAll, describe, expect, test } from "vitest";
import { flattenLayer } from "../../../src/layers/index.ts";
import {
  analyseDraft,
  batchSpans,
  batchTiles,
  createCkksBatchOperations,
  createEvaluator,
  estimateBatchCost,
  estimateBatchNoise,
  formatBatchPlan,
  freeBatchProgram,
  hashBatchPlan,
  measureSpans,
  peakBytes,
  quantizeBatch,
  runBatch,
  runBatchClear,
} from "../../../src/plan/index.ts";
import { freeCiphertext } from "../../../src/rlwe/index.ts";
import { fixedRandom } from "../../helpers/plans.ts";
import { expectRefusal, expectWithin } from "../../helpers/rlwe.ts";
import { conv, linear, NETWORKS, pool } from "./networks.ts";
import { DEGREE, draftLayers, openBatch, randomTensors, toyChain } from "./support.ts";

const CHAIN = toyChain([30, 30, 30, 30, 30, 30], [30, 30]);
const SCALE = 2 ** 28;
const opened: { destroy(): void }[] = [];
afterAll(() => {
  for (const owner of opened) owner.destroy();
});

describe("a batch on ciphertexts", () => {
  test.each(NETWORKS)("computes what the layers do: %s", async (_, layers, shape, { drops }) => {
    const { draft, forward } = draftLayers(layers, shape);
    const inputs = randomTensors(5, shape, 3);
    const { means } = analyseDraft(draft, inputs);
    const plan = quantizeBatch(draft, { drops, weightBits: draft.spans.map(() => 16) }, means);
    const { owner, manifest, program } = await openBatch(plan, CHAIN, SCALE);
    opened.push(owner);
    const [segment] = manifest.segments;
    const encrypted = owner.encryptBatch(segment!, inputs);
    const results = owner.decryptBatch(segment!, runBatch(program, encrypted), inputs.length);
    const { heap } = owner.context.ring;
    const before = heap.usage().used;
    runBatch(program, encrypted).forEach(freeCiphertext);
    // Every intermediate was given back.
    expect(heap.usage().used).toBe(before);
    for (const [i, input] of inputs.entries()) {
      const exact = forward(input);
      const clear = runBatchClear(plan, input);
      expect(results[i]!.shape).toEqual(exact.shape);
      for (const [k, value] of exact.data.entries()) {
        expect(Math.abs(clear.data[k]! - value)).toBeLessThan(2e-3);
        expect(Math.abs(results[i]!.data[k]! - clear.data[k]!)).toBeLessThan(3e-4);
      }
    }
  });

  const [, layers, shape, { drops }] = NETWORKS[0]!;
  const { draft } = draftLayers(layers, shape);
  const inputs = randomTensors(DEGREE / 2, shape, 5);
  const statistics = analyseDraft(draft, inputs.slice(0, 40));
  const plan = quantizeBatch(draft, { drops, weightBits: draft.spans.map(() => 15) }, statistics.means);

  test.each([
    ["of fresh ciphertexts", CHAIN, 2 ** 20, [1, 1, 0]],
    ["of digits larger than P", toyChain([30, 30, 30, 30, 30, 30], [26], 3), 2 ** 28, [2, 2, 0]],
    ["of divisions", toyChain([30, 30, 30, 30, 30, 30], [30, 30, 30], 3), 2 ** 28, [2, 2, 0]],
  ])("noise is what was predicted, from both sides: %s", async (_, parameters, scale, dropped) => {
    const plan = quantizeBatch(draft, { drops: dropped, weightBits: draft.spans.map(() => 15) }, statistics.means);
    const { owner, manifest, program, schedule } = await openBatch(plan, parameters, scale);
    opened.push(owner);
    const [segment] = manifest.segments;
    const results = owner.decryptBatch(
      segment!,
      runBatch(program, owner.encryptBatch(segment!, inputs)),
      inputs.length,
    );
    let [squares, count] = [0, 0];
    for (const [i, input] of inputs.entries()) {
      for (const [k, value] of runBatchClear(plan, input).data.entries()) {
        squares += (results[i]!.data[k]! - value) ** 2;
        count++;
      }
    }
    expectWithin(Math.sqrt(squares / count), estimateBatchNoise(plan, statistics, parameters, schedule), 0.3);
  });

  test("two threads and the TypeScript kernels agree with one thread bit for bit", async () => {
    const outcomes = await Promise.all(
      [{}, { threads: 2 }, { backend: "ts" as const }].map(async (options) => {
        // The same randomness for all: the same ciphertexts.
        const { owner, manifest, program } = await openBatch(plan, CHAIN, SCALE, { ...options, random: fixedRandom() });
        const outputs = runBatch(program, owner.encryptBatch(manifest.segments[0]!, inputs.slice(0, 3)));
        const { words } = owner.context.ring.heap;
        const residues = outputs.flatMap(({ components }) =>
          components.map(({ block }) => Array.from(words.subarray(block.offset, block.offset + block.length))),
        );
        owner.destroy();
        return residues;
      }),
    );
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(outcomes[2]).toEqual(outcomes[0]);
  });

  test("inputs can be given back at their last use, and progress ends with the last tile", async () => {
    const { owner, manifest, program } = await openBatch(plan, CHAIN, SCALE);
    opened.push(owner);
    const encrypted = owner.encryptBatch(manifest.segments[0]!, inputs.slice(0, 1));
    const freed = new Set<unknown>();
    const progress: number[] = [];
    let total = 0;
    runBatch(program, encrypted, {
      onInputDone(input) {
        expect(freed.has(input)).toBe(false);
        freed.add(input);
        freeCiphertext(input);
      },
      onProgress(state) {
        progress.push(state.done);
        total = state.total;
      },
    });
    expect(freed.size).toBe(encrypted.length);
    expect(progress).toEqual(Array.from({ length: total }, (_, i) => i + 1));
  });

  test("an abort frees what was made, and says so", async () => {
    const { owner, manifest, program } = await openBatch(plan, CHAIN, SCALE);
    opened.push(owner);
    const encrypted = owner.encryptBatch(manifest.segments[0]!, inputs.slice(0, 1));
    const { heap } = owner.context.ring;
    const before = heap.usage().used;
    const controller = new AbortController();
    expectRefusal(
      () =>
        runBatch(program, encrypted, {
          signal: controller.signal,
          onProgress: ({ done }) => done === 4 && controller.abort(),
        }),
      "ABORTED",
    );
    expect(heap.usage().used).toBe(before);
    freeBatchProgram(program);
    expect(heap.usage().used).toBeLessThan(before);
  });

  test("inputs, keys and images that do not fit are refused", async () => {
    const { owner, manifest, program } = await openBatch(plan, CHAIN, SCALE);
    opened.push(owner);
    const segment = manifest.segments[0]!;
    const encrypted = owner.encryptBatch(segment, inputs.slice(0, 1));
    expect(() => runBatch(program, encrypted.slice(1))).toThrow("takes 64 ciphertexts, one an input element, got 63");
    const rescaled = { ...encrypted[0]!, scale: 2 * SCALE };
    expectRefusal(
      () =>
        runBatch(
          program,
          encrypted.map(() => rescaled),
        ),
      "LEVEL_MISMATCH",
      "encryptBatch",
    );
    expect(() => owner.encryptBatch(segment, [])).toThrow("images must hold 1 to 512 tensors");
    expect(() => owner.encryptBatch(segment, new Array(513).fill(inputs[0]))).toThrow("got 513; run several batches");
    expectRefusal(() => owner.encryptBatch(segment, [{ shape: [64], data: new Float64Array(64) }]), "SHAPE_MISMATCH");
    const bright = { shape, data: new Float64Array(64).fill(2) };
    expectRefusal(() => owner.encryptBatch(segment, [bright]), "PRECISION_LOST", "from -1 to 1");
    expect(() => owner.decryptBatch(segment, [], 0)).toThrow("count must be an integer from 1 to 512, got 0");
    expectRefusal(() => owner.decryptBatch(segment, encrypted.slice(0, 4), 1), "INVALID_MESSAGE");
    const other = await openBatch(plan, toyChain([30, 30, 30, 30, 30, 29], [30]), SCALE);
    opened.push(other.owner);
    expectRefusal(() => runBatch(other.program, encrypted), "FOREIGN_OBJECT");
    const keyless = createEvaluator(owner.context, { relinearization: undefined, galois: new Map() }, manifest.policy);
    expectRefusal(() => createCkksBatchOperations(plan, keyless, segment), "MISSING_KEY", "relinearization");
  });
});

describe("a batch plan", () => {
  const [, layers, shape, { drops }] = NETWORKS[0]!;
  const { draft } = draftLayers(layers, shape);
  const { means } = analyseDraft(draft, randomTensors(3, shape, 1));
  const planOf = (bits: number) => quantizeBatch(draft, { drops, weightBits: draft.spans.map(() => bits) }, means);
  const plan = planOf(12);

  test("prints one line a stage", () => {
    const text = formatBatchPlan(plan);
    expect(text.split("\n")).toHaveLength(plan.stages.length + 2);
    expect(text).toMatch(
      /^input 1x8x8\naffine to 72 elements, 648 weights of up to 2047, scale [\d.]+ \(layer 0\)\nsquare \(layer 1\)\nsum to 18/,
    );
    expect(text).toMatch(/rescale by 2 primes \(layer 2\)/);
  });

  test("hashes alike when equal, and differently for other weights", () => {
    expect(hashBatchPlan(planOf(12))).toBe(hashBatchPlan(plan));
    expect(hashBatchPlan(planOf(11))).not.toBe(hashBatchPlan(plan));
  });

  test("is cut into tiles that yield every output once, from the inputs that it needs", () => {
    for (const span of batchSpans(plan)) {
      const tiles = batchTiles(span);
      expect(tiles.flatMap(({ outputs }) => outputs).sort((a, b) => a - b)).toEqual(
        Array.from({ length: span.outputs }, (_, i) => i),
      );
      for (const { inputs, steps } of tiles) {
        const [first] = steps;
        for (const [i, columns] of first!.columns.entries()) {
          if (first!.stage.op !== "affine") continue;
          const { rowStart, column } = first!.stage;
          const row = first!.elements[i]!;
          expect(columns.map((at) => inputs[at])).toEqual(
            Array.from(column.subarray(rowStart[row], rowStart[row + 1])),
          );
        }
      }
    }
  });

  test("costs are counted", async () => {
    const { schedule, owner, program, manifest } = await openBatch(plan, CHAIN, SCALE);
    opened.push(owner);
    const cost = estimateBatchCost(plan, measureSpans(plan), CHAIN, schedule);
    // 648 weights on 6 limbs, 216 on 4, 12 on 2; two components.
    expect(cost.weighted).toBe(2 * (72 * 9 * 6 + 12 * 8 * 4 + 4 * 3 * 2));
    expect(cost.imagesPerSecond).toBeCloseTo(512 / cost.seconds, 6);
    const encrypted = owner.encryptBatch(manifest.segments[0]!, randomTensors(1, shape, 1));
    const { heap } = owner.context.ring;
    const others = heap.usage().used - encrypted.length * 2 * 6 * DEGREE * 4;
    let largest = 0;
    runBatch(program, encrypted, { onProgress: () => (largest = Math.max(largest, heap.usage().used)) });
    // Progress is told when inputs have been released: a tile's own inputs and outputs are not both seen.
    expect(largest - others).toBeLessThanOrEqual(peakBytes(plan, CHAIN, schedule));
    expect(largest - others).toBeGreaterThan(0.8 * peakBytes(plan, CHAIN, schedule));
  });

  test("neighbouring maps are fused where that saves products", () => {
    const fused = draftLayers([conv({}, 1, 1, 3), pool({}), flattenLayer(), linear(2, 4)], [1, 6, 6]).draft;
    expect(fused.spans).toHaveLength(1);
    // A bottleneck is cheaper in two steps.
    const apart = draftLayers([linear(2, 40), linear(40, 2)], [40]).draft;
    expect(apart.spans.map(({ map }) => map?.layers)).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });
});
