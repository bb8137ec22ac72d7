import { expect, test } from "vitest";
import { compileElementwise, runModel } from "../../src/builder/index.ts";
import { createOwner } from "../../src/owner/index.ts";
import { createElementwiseRunner, type Observation } from "../../src/tester/index.ts";
import { argmax, loadFixture } from "../helpers/encrypted.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";

const digits = unbatch(readNpy("samples/mnist16.input.npy"));

/** Whole models on several images under PyCrCNN's parameters: answers, and budgets no smaller than the static estimate nor 6 bits above it. */
test.each<[string, number, number[], number]>([
  ["linear", 2048, [], 16],
  ["lenet1-square", 2048, [1, 4], 8],
  ["lenet1-one-square", 2048, [1], 4],
  // The first square is the evaluator's.
  ["lenet1-square", 4096, [2, 4], 1],
])("%s with m = %i, re-encrypted before %j", { timeout: 600_000 }, async (name, m, rencryptPositions, images) => {
  const model = loadFixture(`models/${name}/${name}.pt`);
  const logits = unbatch(readNpy(`models/${name}/${name}.logits.npy`));
  const compiled = compileElementwise(model, {
    inputShape: [1, 28, 28],
    inputRange: [0, 1],
    encryptionParameters: { m, p: 13513511, sec: 128, base: 2 },
    rencryptPositions,
  });
  const owner = await createOwner({ scheme: "bfv", parameters: compiled.chosen.parameters });
  let observations: Observation[] = [];
  const runner = createElementwiseRunner(compiled, owner, {
    onObservation: (observation) => observations.push(observation),
  });
  const parts = compiled.segments.flatMap((segment) => segment.parts);
  for (const [i, input] of digits.slice(0, images).entries()) {
    observations = [];
    const { data } = await runner.run(input);
    const plain = runModel(model, input).data;
    for (const [k, value] of data.entries()) expect(Math.abs(value - plain[k]!)).toBeLessThan(1e-7);
    expect(argmax(data)).toBe(argmax(logits[i]!.data));
    for (const { layers, budget } of parts) {
      const { minNoise } = observations.find(({ layer }) => layer === layers[1])!;
      expect(minNoise).toBeGreaterThanOrEqual(budget);
      expect(minNoise).toBeLessThan(budget + 6);
    }
  }
  runner.free();
  owner.destroy();
});
