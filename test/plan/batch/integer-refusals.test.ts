import { afterAll, describe, expect, test } from "vitest";
import { createBfvEvaluator } from "../../../src/bfv/index.ts";
import type { IntegerOwner } from "../../../src/owner/index.ts";
import {
  type BatchPlan,
  createCkksBatchOperations,
  createFractionalBatchOperations,
  createIntegerBatchOperations,
  runBatch,
  type Tensor,
} from "../../../src/plan/index.ts";
import { expectRefusal } from "../../helpers/rlwe.ts";
import { affinePlan, CHAIN, networkFor, openIntegers, plainPrimes } from "./integer-support.ts";
import { NETWORKS } from "./networks.ts";
import { DEGREE, openBatch, randomTensors } from "./support.ts";

const opened: IntegerOwner[] = [];
afterAll(() => {
  for (const owner of opened) owner.destroy();
});

describe("what does not fit is refused", () => {
  const network = networkFor(0, 6, 15);
  const shape = NETWORKS[0]![2];
  const images: Tensor[] = randomTensors(2, shape, 1);
  const moduli = plainPrimes([17, 17, 17, 17, 17], CHAIN);

  test("by the evaluator", async () => {
    const { owner, segment, programs } = await openIntegers(network, CHAIN, moduli);
    opened.push(owner);
    const encrypted = owner.encryptBatch(segment, images, 1);
    expectRefusal(() => runBatch(programs[0]!, encrypted), "FOREIGN_OBJECT", "the residue that the evaluator computes");
    const lower = encrypted.map((each) => owner.evaluators[1]!.switchModulus(each));
    expectRefusal(() => runBatch(programs[1]!, lower), "LEVEL_MISMATCH", "encryptBatch");
    const keyless = createBfvEvaluator(owner.contexts[0]!, { relinearization: undefined, galois: new Map() });
    expectRefusal(() => createIntegerBatchOperations(network.plan, keyless, segment), "MISSING_KEY", "manifest");
    const rescaling: BatchPlan = { ...network.plan, stages: [{ op: "rescale", layers: [0, 0], primes: 1 }] };
    expectRefusal(
      () => createIntegerBatchOperations(rescaling, owner.evaluators[0]!, segment),
      "UNSUPPORTED_MODEL",
      'scheme "bfv"',
    );
    expectRefusal(
      () => createFractionalBatchOperations(network.plan, owner.evaluators[0]!, { base: 2 }),
      "UNSUPPORTED_MODEL",
      "compileElementwise",
    );
    const approximate = await openBatch(affinePlan([[1]], [0]), CHAIN, 2 ** 20);
    expectRefusal(
      () => createCkksBatchOperations(network.plan, approximate.owner.evaluator, segment),
      "UNSUPPORTED_MODEL",
      'scheme "ckks"',
    );
    approximate.owner.destroy();
  });

  test("by the key's owner", async () => {
    const { owner, segment, evaluate } = await openIntegers(network, CHAIN, moduli);
    opened.push(owner);
    expect(() => owner.encryptBatch(segment, images, 5)).toThrow(
      "residue must be the number of a plain modulus, 0 to 4, got 5",
    );
    expect(() => owner.encryptBatch(segment, [], 0)).toThrow(`images must hold 1 to ${DEGREE} tensors`);
    const bright = { shape, data: new Float64Array(64).fill(2) };
    expectRefusal(() => owner.encryptBatch(segment, [bright], 0), "PRECISION_LOST", "from -1 to 1");
    const outputs = evaluate(images);
    expect(() => owner.decryptIntegers(segment, outputs, 0)).toThrow(
      `count must be an integer from 1 to ${DEGREE}, got 0`,
    );
    expectRefusal(
      () => owner.decryptIntegers(segment, outputs.slice(1), 1),
      "INVALID_MESSAGE",
      "for each of 5 plain moduli",
    );
    expectRefusal(() => owner.decryptIntegers(segment, [...outputs].reverse(), 1), "FOREIGN_OBJECT");
    // Residues of different inputs are residues of nothing that the network yields.
    const [first] = evaluate([...images].reverse());
    expectRefusal(
      () => owner.decryptIntegers(segment, [first!, ...outputs.slice(1)], 2),
      "PRECISION_LOST",
      "outside of what the network can yield",
    );
  });
});
