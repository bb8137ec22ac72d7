import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compile, runModel } from "../../src/builder/index.ts";
import { readImages, readLabels } from "../../src/data/index.ts";
import { runIntegerClear, type Tensor } from "../../src/plan/index.ts";
import { argmax, loadFixture } from "../helpers/encrypted.ts";
import { runIntegers } from "../helpers/integers.ts";

const TIMEOUT = 300_000;
const EXACT = 64;
const read = (name: string): Uint8Array => readFileSync(new URL(`../fixtures/data/${name}`, import.meta.url));

test.each([{}, { weightBits: 8 }])(
  "LeNet-1 under BFV with %j: 64 images bit for bit, the accuracy of 1,000",
  async (options) => {
    const model = loadFixture("models/lenet1-square/lenet1-square.pt");
    const { images } = readImages(read("mnist-t10k-first1000-images-idx3-ubyte.gz"), "images");
    const labels = readLabels(read("mnist-t10k-first1000-labels-idx1-ubyte.gz"), "labels");
    const network = compile(model, { inputShape: [1, 28, 28], scheme: "bfv", ...options });
    const { tensors, integers, budgets } = await runIntegers(network, images);
    const { inputScale } = network.manifest.segments[0]!;
    const expected = images.slice(0, EXACT).map((image) => runIntegerClear(network.plans[0]!, inputScale, image));
    expect(integers[0]!.slice(0, EXACT)).toEqual(expected);
    for (const { measured, estimated } of budgets) expect(measured).toBeGreaterThanOrEqual(estimated);

    const right = (results: readonly Tensor[]): number =>
      results.filter(({ data }, i) => argmax(data) === labels[i]).length;
    const plain = images.map((image) => runModel(model, image));
    console.info(
      `LeNet-1 under BFV ${JSON.stringify(options)}: ${network.manifest.plainModuli.length} evaluations, ${right(tensors)} of ` +
        `${images.length} right, plain ${right(plain)}`,
    );
    // 0.2 points.
    expect(Math.abs(right(tensors) - right(plain))).toBeLessThanOrEqual(2);
  },
  TIMEOUT,
);
