import { describe, expect, test } from "vitest";
import { CrcnnError } from "../../src/errors/index.ts";
import {
  analysePlan,
  emitPlan,
  estimateNoise,
  keySwitchVariance,
  rescaleVariance,
  runClear,
  type Tensor,
} from "../../src/plan/index.ts";
import { naiveAffine, naiveNetwork } from "../helpers/naive-lowering.ts";
import { encryptedRun, numbers, randomMap, SLOTS, smallNetwork, toyParameters } from "../helpers/plans.ts";

describe("noise", () => {
  test.each([1, 2])("alpha %i: the measured error agrees with the prediction within 30 %", async (alpha) => {
    const { plan, input } = smallNetwork(21);
    const { owner, schedule, run } = await encryptedRun(plan, toyParameters(alpha));
    const want = runClear(plan, input).data;
    let sum = 0;
    const runs = 40;
    for (let i = 0; i < runs; i++) {
      for (const [e, value] of run(input).data.entries()) sum += (value - want[e]!) ** 2 / (runs * want.length);
    }
    const predicted = estimateNoise(plan, analysePlan(plan, [input]), owner.context.parameters, schedule);
    expect(Math.sqrt(sum) / predicted).toBeGreaterThan(0.7);
    expect(Math.sqrt(sum) / predicted).toBeLessThan(1.3);
  });

  test("the figures of single operations are those of the literature", () => {
    expect(Math.sqrt(rescaleVariance(8192))).toBeCloseTo(21.3, 1);
    const [p, q] = [2 ** 30, 2 ** 30];
    const six = {
      ringDegree: 8192,
      dataPrimes: new Array(6).fill(q),
      specialPrimes: [p],
      security: "insecure" as const,
    };
    expect(Math.sqrt(keySwitchVariance(six, 5))).toBeGreaterThan(200);
    expect(Math.sqrt(keySwitchVariance(six, 5))).toBeLessThan(215);
    const pairs = {
      ...six,
      dataPrimes: [2 ** 27, 2 ** 27, ...new Array(4).fill(2 ** 26)],
      specialPrimes: [2 ** 28, 2 ** 28],
    };
    expect(Math.sqrt(keySwitchVariance(pairs, 5))).toBeLessThan(35);
  });
});

test("several inputs of one value range are analysed together", () => {
  const map = randomMap(4, 4, numbers(2));
  const plan = emitPlan(naiveNetwork(SLOTS, [naiveAffine(map, SLOTS, 0)]), {
    foldsBeforeRescale: false,
    rescaleLast: false,
  });
  const inputs: Tensor[] = [1, -3, 2].map((value) => ({ shape: [4], data: new Float64Array(4).fill(value) }));
  expect(analysePlan(plan, inputs).largest[0]).toBe(3);
  expect(() => runClear(plan, { shape: [5], data: new Float64Array(5) })).toThrow(CrcnnError);
});
