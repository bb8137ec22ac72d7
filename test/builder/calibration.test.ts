import { describe, expect, test } from "vitest";
import { syntheticInputs } from "../../src/builder/index.ts";
import { RANGE_MARGIN } from "../../src/builder/planner/parameters.ts";
import type { Tensor } from "../../src/plan/index.ts";
import { loadFixture } from "../helpers/encrypted.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";

const largestOf = ({ data }: Tensor): number => data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe("inputs that are made up where a user gives none", () => {
  test.each([
    ["lenet1-square", "mnist16"],
    ["fashion-cnn-bn-square", "fashion16"],
    ["cifar-like", "cifar-like16"],
  ])("%s takes values of the size that its own inputs give", (name, samples) => {
    const { layers } = loadFixture(`models/${name}/${name}.pt`);
    const real = unbatch(readNpy(`samples/${samples}.input.npy`));
    /** By layer: the largest value for each input, ascending. */
    const largest = (inputs: readonly Tensor[]): number[][] => {
      let values = inputs;
      return layers.map(({ layer }) => {
        values = values.map((value) => layer.forward(value));
        return values.map(largestOf).sort((left, right) => left - right);
      });
    };
    const [wanted, made] = [largest(real), largest(syntheticInputs(real[0]!.shape, [0, 1]))];
    // What real inputs reach stays within the room that scales leave, with half of it to spare.
    for (const [i, values] of wanted.entries())
      expect(values.at(-1)).toBeLessThan((RANGE_MARGIN / 2) * made[i]!.at(-1)!);
    // What relative errors are relative to: wrong by two bits at most.
    const median = (values: readonly number[]): number => values[values.length >> 1]!;
    const ratio = median(made.at(-1)!) / median(wanted.at(-1)!);
    expect(ratio).toBeGreaterThan(1 / 4);
    expect(ratio).toBeLessThan(4);
  });

  test("lie within their range and are the same each time", () => {
    for (const shape of [[1, 9, 9], [3, 8, 10], [7], [4, 11]]) {
      const inputs = syntheticInputs(shape, [-2, 0.5]);
      expect(inputs.map(largestOf).some((value) => value > 0)).toBe(true);
      for (const { data } of inputs) expect(data.every((value) => value >= -2 && value <= 0.5)).toBe(true);
      expect(syntheticInputs(shape, [-2, 0.5])).toEqual(inputs);
    }
  });
});
