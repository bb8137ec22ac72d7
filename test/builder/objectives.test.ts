/** What plans are chosen by, apart from time: memory, and a bound of the keys' bytes. */

import { expect, test } from "vitest";
import { type CompiledNetwork, compile, runModel } from "../../src/builder/index.ts";
import { demandBytes, estimateHeap } from "../../src/plan/index.ts";
import { loadFixture, runCompiled } from "../helpers/encrypted.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";
import { relativeError } from "../helpers/trained.ts";

const mlp = loadFixture("models/mlp/mlp.pt");
const inputShape = [1, 28, 28];
const keyBytes = ({ manifest }: CompiledNetwork): number => demandBytes(manifest.parameters, manifest.keys);
const heapBytes = ({ manifest, plans, schedules }: CompiledNetwork): number =>
  estimateHeap(
    plans.map((plan, i) => ({ plan, schedule: schedules[i]! })),
    manifest.parameters,
    manifest.keys,
  ).total;

const fastest = compile(mlp, { inputShape });

test('objective "memory" takes less memory and fewer keys, and is as right', async () => {
  const small = compile(mlp, { inputShape, objective: "memory" });
  expect(heapBytes(small)).toBeLessThan(0.9 * heapBytes(fastest));
  expect(small.manifest.keys.rotations.length).toBeLessThan(fastest.manifest.keys.rotations.length);
  const [digit] = unbatch(readNpy("samples/mnist16.input.npy"));
  const { outputs, owner } = await runCompiled(small, [digit!]);
  owner.destroy();
  expect(relativeError(outputs[0]!.data, runModel(mlp, digit!).data)).toBeLessThan(5e-4);
});

test("a bound of the keys' bytes is kept by plans of fewer keys, and refused where none is small enough", () => {
  const maxKeyBytes = keyBytes(fastest) - 1;
  const bounded = compile(mlp, { inputShape, maxKeyBytes });
  expect(keyBytes(bounded)).toBeLessThanOrEqual(maxKeyBytes);
  expect(() => compile(mlp, { inputShape, maxKeyBytes: 1e5 })).toThrow(
    expect.objectContaining({ code: "NO_PARAMETERS", message: expect.stringMatching(/maxKeyBytes is 100000/) }),
  );
  for (const bad of [0, -1, Number.NaN]) {
    expect(() => compile(mlp, { inputShape, maxKeyBytes: bad })).toThrow(/maxKeyBytes must be a positive number/);
  }
});
