import { describe, test } from "vitest";
import { loadFixture } from "../helpers/encrypted.ts";
import { expectTrainedNetwork } from "../helpers/trained.ts";

describe("every form in which exporters write a network runs encrypted", () => {
  test.each([
    "op13",
    "op13.static",
    "op17",
    "op18.dynamo",
    "op20.dynamo.static",
    "torch1.13.1.op9",
    "torch1.13.1.op11",
  ])(
    "lenet1-square from %s: 16 of 16 images",
    (form) =>
      expectTrainedNetwork("lenet1-square", "mnist16", loadFixture(`models/lenet1-square/lenet1-square.${form}.onnx`)),
    300_000,
  );
});
