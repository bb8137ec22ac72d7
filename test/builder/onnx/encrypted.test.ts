import { expect, test } from "vitest";
import { compile } from "../../../src/builder/index.ts";
import { loadFixture } from "../../helpers/encrypted.ts";
import { expectTrainedNetwork } from "../../helpers/trained.ts";

test("an export runs encrypted: 16 of 16 images", () =>
  expectTrainedNetwork("lenet1-square", "mnist16", loadFixture("models/lenet1-square/lenet1-square.op18.dynamo.onnx")));

test("the plan of an export is that of the torch file", () => {
  const planOf = (file: string): string =>
    compile(loadFixture(file), { inputShape: [1, 28, 28] }).manifest.segments[0]!.hash;
  expect(planOf("old-torch/linear.torch1.13.1.op9.onnx")).toBe(planOf("models/linear/linear.pt"));
});
