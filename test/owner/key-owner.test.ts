import { describe, expect, test } from "vitest";
import { createEngine, createThreadedEngine, findNttPrimes } from "../../src/math/index.ts";
import { createOwner, defaultPolicy } from "../../src/owner/index.ts";
import {
  demandKeys,
  flatLayout,
  type KeyDemand,
  prepareProgram,
  runEncrypted,
  schedulePlan,
  type Tensor,
  tensor,
} from "../../src/plan/index.ts";
import { POLICY, smallNetwork, toyParameters } from "../helpers/plans.ts";
import { seededRandom } from "../helpers/random.ts";

const parameters = toyParameters(1);
const request = { scheme: "ckks", parameters, policy: POLICY } as const;
const keys: KeyDemand = { rotations: [1, 2, 3].map((steps) => ({ steps, level: 2 })), relinearization: 3 };

describe("an owner", () => {
  test("makes the keys of a manifest with progress, and gives way to other work", async () => {
    const seen: number[] = [];
    const manifest = { ...request, keys, segments: [] };
    const owner = await createOwner(manifest, {
      onProgress: ({ done, total }) => {
        expect(total).toBe(4);
        seen.push(done);
      },
    });
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(owner.evaluationKeys.galois.size).toBe(3);
    expect(owner.evaluationKeys.relinearization?.level).toBe(3);
    owner.destroy();
    expect(owner.evaluationKeys.galois.size).toBe(0);
  });

  test("is not made once its signal is aborted", async () => {
    const manifest = { ...request, keys, segments: [] };
    await expect(createOwner(manifest, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
    const controller = new AbortController();
    const making = createOwner(manifest, { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(making).rejects.toMatchObject({ code: "ABORTED" });
  });

  test("is made from a manifest or parameters, and says so", async () => {
    for (const wrong of [undefined, null, {}, { parameters: {} }, "manifest"]) {
      await expect(createOwner(wrong as never)).rejects.toThrow(/createOwner: request must be/);
    }
  });

  test("makes a key again only at a higher level", async () => {
    const owner = await createOwner(request);
    owner.addKeys(keys);
    const [[element, first]] = [...owner.evaluationKeys.galois];
    owner.addKeys({ rotations: [{ steps: 1, level: 1 }], relinearization: 2 });
    expect(owner.evaluationKeys.galois.get(element)).toBe(first);
    owner.addKeys({ rotations: [{ steps: 1, level: 3 }], relinearization: -1 });
    expect(owner.evaluationKeys.galois.get(element)?.level).toBe(3);
  });

  test("gives the same ciphertexts on every backend and any number of threads, from the same randomness", async () => {
    const engines = [
      createEngine({ backend: "ts" }),
      createEngine({ backend: "wasm" }),
      await createThreadedEngine({ threads: 2 }),
      await createThreadedEngine({ threads: 3 }),
    ];
    const { plan, input } = smallNetwork(77);
    const schedule = schedulePlan(plan, parameters, POLICY, { level: 3, scale: POLICY.messageScale });
    const demand = demandKeys(plan, schedule);
    const results: Tensor[] = [];
    for (const engine of engines) {
      const owner = await createOwner({ ...request, keys: demand, segments: [] }, { engine, random: seededRandom(5) });
      const program = prepareProgram(plan, schedule, owner.evaluator.encoder);
      const encrypted = owner.encryptTensor(input, flatLayout(input.shape, plan.slots));
      const [ciphertext] = runEncrypted(program, owner.evaluator.operations, encrypted.ciphertexts);
      const { words } = engine.heap;
      const { offset, length } = ciphertext!.components[1]!.block;
      results.push(tensor([length], Float64Array.from(words.subarray(offset, offset + length))));
      await engine.close();
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });

  test("with threads of its own stops them when it is destroyed", async () => {
    const owner = await createOwner(request, { threads: 2 });
    expect(owner.context.engine.threads).toBe(2);
    owner.destroy();
  });
});

test("scales for bare parameters leave room for the last product", () => {
  const dataPrimes = findNttPrimes(1024, [30, 30, 27, 27]);
  const { messageScale, outputScale } = defaultPolicy({ ...parameters, dataPrimes });
  expect(messageScale).toBe(2 ** 27);
  expect(outputScale).toBe(2 ** 51);
});
