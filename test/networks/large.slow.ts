import { describe, test } from "vitest";
import { loadWeights } from "../helpers/architectures.ts";
import { expectTrainedNetwork } from "../helpers/trained.ts";

const TIMEOUT = 300_000;

describe("large networks, compiled with nothing but the input's shape", () => {
  test.each([
    ["fashion-cnn-bn-square", "fashion16"],
    ["lenet5-square", "mnist16"],
    // Its first layers fill several ciphertexts.
    ["cifar-like", "cifar-like16"],
  ])("%s: 16 of 16 images", (name, samples) => expectTrainedNetwork(name, samples), TIMEOUT);

  test(
    "resblock, a residual network from weights and an architecture: 16 of 16 images",
    () => expectTrainedNetwork("resblock", "mnist16", loadWeights("resblock", "resblock.pth")),
    TIMEOUT,
  );
});
