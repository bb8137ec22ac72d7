/** What every trained network must show, small or large. */

import { expect } from "vitest";
import { compile, runModel, SIGMAS, type SourceModel } from "../../src/builder/index.ts";
import { runClear } from "../../src/plan/index.ts";
import { maximumModulusBits, modulusBits } from "../../src/rlwe/index.ts";
import { argmax, loadFixture, runCompiled } from "./encrypted.ts";
import { readNpy, unbatch } from "./npy.ts";

/** Largest error of an output, relative to the largest expected one. */
export function relativeError(actual: Float64Array, expected: Float64Array): number {
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...actual.map((value, i) => Math.abs(value - expected[i]!))) / largest;
}

/**
 * Compiles a trained model with nothing but its input's shape, and holds 16 images, in the clear and encrypted, against the logits that PyTorch
 * gave for them in double precision.
 *
 * @param samples the name of its images under test/fixtures/samples.
 * @param model where it does not come as a whole torch file.
 */
export async function expectTrainedNetwork(
  name: string,
  samples: string,
  model: SourceModel = loadFixture(`models/${name}/${name}.pt`),
): Promise<void> {
  const inputs = unbatch(readNpy(`samples/${samples}.input.npy`));
  const logits = unbatch(readNpy(`models/${name}/${name}.logits.npy`));
  expect(inputs).toHaveLength(16);
  const start = performance.now();
  const network = compile(model, { inputShape: inputs[0]!.shape });
  const seconds = (performance.now() - start) / 1000;
  const { dataPrimes, specialPrimes, ringDegree, security } = network.manifest.parameters;
  const bits = modulusBits([...dataPrimes, ...specialPrimes]);
  expect(security).toBe(128);
  expect(bits).toBeLessThanOrEqual(maximumModulusBits(ringDegree, 128));
  for (const [i, input] of inputs.entries()) {
    expect(relativeError(runModel(model, input).data, logits[i]!.data)).toBeLessThan(1e-12);
    expect(relativeError(runClear(network.plans[0]!, input).data, logits[i]!.data)).toBeLessThan(1e-9);
  }
  const { outputs, owner } = await runCompiled(network, inputs);
  owner.destroy();
  const errors = outputs.map((output, i) => relativeError(output.data, logits[i]!.data));
  const agreeing = outputs.filter((output, i) => argmax(output.data) === argmax(logits[i]!.data)).length;
  console.log(
    `${name}: compiled in ${seconds.toFixed(1)} s, N = ${ringDegree}, log2 QP = ${bits.toFixed(1)}, ${network.costs[0]!.rotations} rotations, ` +
      `${agreeing} of 16, largest error ${Math.max(...errors).toExponential(1)} of the largest logit ` +
      `(predicted ${network.predictedError.toExponential(1)})`,
  );
  expect(agreeing).toBe(16);
  // Asked for: 1e-3, of which the choice of parameters keeps half in reserve.
  expect(Math.max(...errors)).toBeLessThan(5e-4);
  // Of all outputs together, since the largest of so many errors varies by half from key to key.
  const squares = outputs.flatMap((output, i) => [
    ...output.data.map((value, k) => (value - logits[i]!.data[k]!) ** 2),
  ]);
  const deviation = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
  const predicted = network.manifest.segments[0]!.expectedError / SIGMAS;
  expect(deviation).toBeLessThan(2 * predicted);
  expect(deviation).toBeGreaterThan(predicted / 8);
}
