import { expect, test } from "vitest";
import { compile } from "../../src/builder/index.ts";
import { createOwner } from "../../src/owner/index.ts";
import { prepareProgram, runEncrypted } from "../../src/plan/index.ts";
import { freeCiphertext } from "../../src/rlwe/index.ts";
import { argmax, loadFixture } from "../helpers/encrypted.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";

const INFERENCES = 2000;

/**
 * With `dropped`, ciphertexts are not freed but forgotten, as a user would: finalizers have to keep up, which run between tasks and when the
 * collector finds time, so the heap may grow at first. Otherwise they are freed, and the heap must not grow at all.
 */
async function run(path: string, dropped: boolean): Promise<void> {
  const network = compile(loadFixture(path), { inputShape: [1, 28, 28] });
  const segment = network.manifest.segments[0]!;
  const owner = await createOwner(network.manifest);
  const program = prepareProgram(network.plans[0]!, network.schedules[0]!, owner.evaluator.encoder);
  const inputs = unbatch(readNpy("samples/mnist16.input.npy"));
  const { heap } = owner.context.ring;
  const reserved: number[] = [];
  const resident: number[] = [];
  for (let i = 0; i < INFERENCES; i++) {
    const encrypted = owner.encryptInput(segment, inputs[i % inputs.length]!);
    const result = runEncrypted(program, owner.evaluator.operations, encrypted);
    if (i % 500 === 0) expect(argmax(owner.decryptOutput(segment, result).data)).toBeTypeOf("number");
    if (dropped) await new Promise((resolve) => setTimeout(resolve));
    else [...encrypted, ...result].forEach(freeCiphertext);
    if (i % 100 === 99) {
      reserved.push(heap.usage().reserved);
      resident.push(process.memoryUsage().rss);
    }
  }
  const early = dropped ? INFERENCES / 200 : 0;
  const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
  console.log(
    `${path}: ${INFERENCES} inferences, heap ${mebibytes(reserved[early]!)} to ${mebibytes(reserved.at(-1)!)} MiB, resident ` +
      `${mebibytes(resident[early]!)} to ${mebibytes(resident.at(-1)!)} MiB`,
  );
  expect(reserved.at(-1)).toBe(reserved[early]);
  expect(resident.at(-1)).toBeLessThan(1.25 * resident[early]!);
}

test(
  "2,000 inferences of a small network whose ciphertexts are dropped keep a flat heap",
  () => run("models/linear/linear.pt", true),
  300_000,
);

test(
  "2,000 inferences of LeNet-1 without a pause keep a flat heap",
  () => run("models/lenet1-square/lenet1-square.pt", false),
  600_000,
);
