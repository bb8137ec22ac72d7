import { expect, test } from "vitest";
import { demandKeys, estimateHeap, flatLayout, runEncrypted } from "../../src/plan/index.ts";
import { encryptedRun, smallNetwork, toyParameters } from "../helpers/plans.ts";

test.each([
  [1, true],
  [2, false],
  [3, true],
])(
  "alpha %i: keys and weights to the byte, values within a fifth of what an evaluation takes",
  async (alpha, folds) => {
    const { plan, input } = smallNetwork(51, { foldsBeforeRescale: folds });
    const parameters = toyParameters(alpha);
    const { owner, schedule, program } = await encryptedRun(plan, parameters);
    const { heap } = owner.context.ring;
    const estimate = estimateHeap([{ plan, schedule }], parameters, demandKeys(plan, schedule));
    expect(estimate.total).toBe(estimate.keys + estimate.weights + estimate.tables + estimate.values);
    // Limbs of a power of two fill whole granules, so `used` is what was asked for. The owner has the secret key, and its square.
    const secret = 2 * (parameters.dataPrimes.length + alpha) * parameters.ringDegree * 4;
    expect(heap.usage().used).toBe(estimate.keys + estimate.weights + secret);
    expect(program.weights.flat().length).toBeGreaterThan(0);

    const encrypted = owner.encryptTensor(input, flatLayout(input.shape, plan.slots));
    const inputs = encrypted.ciphertexts.length * 2 * parameters.dataPrimes.length * parameters.ringDegree * 4;
    const before = heap.usage().used - inputs;
    const { allocate } = heap;
    let peak = 0;
    heap.allocate = (...args) => {
      const block = allocate(...args);
      peak = Math.max(peak, heap.usage().used);
      return block;
    };
    runEncrypted(program, owner.evaluator.operations, encrypted.ciphertexts);
    expect((peak - before) / estimate.values).toBeGreaterThan(0.8);
    expect((peak - before) / estimate.values).toBeLessThan(1.2);
  },
);
