import { describe, expect, test } from "vitest";
import { networkSteps, traceShapes } from "../../src/builder/index.ts";
import { searchLayout } from "../../src/builder/planner/search.ts";
import { estimateLowered, type SlotCosts } from "../../src/plan/index.ts";
import { rotationCount, simdPrices } from "../builder/planner/slot-prices.ts";
import { loadFixture } from "../helpers/encrypted.ts";

const SLOTS = 8192;
const TIMEOUT = 300_000;

function search(
  name: string,
  inputShape: readonly number[],
  costs: SlotCosts,
): { milliseconds: number; rotations: number; levels: number } {
  const model = loadFixture(`models/${name}/${name}.pt`);
  const steps = networkSteps(model, traceShapes(model, inputShape));
  const started = performance.now();
  const lowered = searchLayout(steps, { inputShape, slots: SLOTS, costs });
  const seconds = (performance.now() - started) / 1000;
  const { rotations, hoisted, giant, fold, diagonals, keys, levels } = estimateLowered(lowered, costs);
  const milliseconds = estimateLowered(lowered, simdPrices(SLOTS)).microseconds / 1000;
  console.info(
    `${name}: ${rotations} rotations (${hoisted}/${giant}/${fold}), ${diagonals} diagonals, ${keys} keys, ${levels} levels, ` +
      `${milliseconds.toFixed(1)} ms; searched in ${seconds.toFixed(1)} s`,
  );
  return { milliseconds, rotations, levels };
}

describe("layouts of large networks are as good as those that a search found before", () => {
  test.each([
    ["fashion-cnn-bn-square", [1, 28, 28], 65.7, 7],
    ["lenet5-square", [1, 28, 28], 87.2, 9],
    // One level more than a search needed before, which pays: its first pool brings two ciphertexts together.
    ["cifar-like", [3, 32, 32], 99.9, 8],
  ] as const)(
    "%s by time",
    (name, shape, milliseconds, levels) => {
      const found = search(name, shape, simdPrices(SLOTS));
      expect(found.milliseconds).toBeLessThanOrEqual(milliseconds);
      expect(found.levels).toBe(levels);
    },
    TIMEOUT,
  );

  test(
    "lenet5-square by rotations",
    () => {
      expect(search("lenet5-square", [1, 28, 28], rotationCount).rotations).toBeLessThanOrEqual(90);
    },
    TIMEOUT,
  );
});
