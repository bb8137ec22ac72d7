import { describe, expect, test } from "vitest";
import { demandKeys, preRotateInputs, runClear, runEncrypted, schedulePlan } from "../../src/plan/index.ts";
import { encryptedRun, POLICY, smallNetwork, toyParameters } from "../helpers/plans.ts";

describe("preRotateInputs", () => {
  const { plan, input } = smallNetwork(8);
  const turned = plan.nodes.filter((node) => node.op === "rotate" && plan.nodes[node.source]!.op === "input").length;

  test("replaces all rotations of an input by copies, and the result stays the same", () => {
    expect(turned).toBeGreaterThan(2);
    const copied = preRotateInputs(plan, 1 + turned);
    expect(copied.input.ciphertexts).toBe(1 + turned);
    expect(copied.nodes.some((node) => node.op === "rotate" && copied.nodes[node.source]!.op === "input")).toBe(false);
    expect(runClear(copied, input).data).toEqual(runClear(plan, input).data);
  });

  test("does nothing where there is no room for all of them", () => {
    expect(preRotateInputs(plan, turned)).toBe(plan);
    expect(preRotateInputs(plan, 1)).toBe(plan);
  });

  test("keeps inputs apart that are ciphertexts of one tensor", () => {
    const weights = Float64Array.of(1, 2, 3, 4);
    const two = {
      ...plan,
      slots: 4,
      input: { shape: [8], slots: 4, ciphertexts: 2, source: Int32Array.from({ length: 8 }, (_, i) => i) },
      nodes: [
        { op: "input", index: 0 },
        { op: "input", index: 1 },
        { op: "rotate", source: 1, steps: 1 },
        { op: "rotate", source: 0, steps: 3 },
        { op: "rotate", source: 0, steps: 2 },
        { op: "weightedSum", terms: [2, 3, 4].map((source) => ({ source, weights })) },
      ] as const,
      layers: new Int32Array(6),
      groups: [[0, 0] as const],
      outputs: [5],
      output: { shape: [4], position: Int32Array.of(0, 1, 2, 3), factor: 1 },
    };
    const values = { shape: [8], data: Float64Array.of(1, 10, 100, 1000, 2, 20, 200, 2000) };
    const copied = preRotateInputs(two, 4);
    // Room for the two rotations of input 0 or the one of input 1; the first that fits is taken.
    expect(copied.input.ciphertexts).toBe(3);
    expect(runClear(copied, values).data).toEqual(runClear(two, values).data);
    expect(runClear(preRotateInputs(two, 5), values).data).toEqual(runClear(two, values).data);
  });

  test("encrypted: fewer keys, the same result, and copies that the owner makes", async () => {
    const copied = preRotateInputs(plan, 1 + turned);
    const parameters = toyParameters(1);
    const top = { level: parameters.dataPrimes.length - 1, scale: POLICY.messageScale };
    const rotations = (which: typeof plan) =>
      demandKeys(which, schedulePlan(which, parameters, POLICY, top)).rotations.filter(({ level }) => level === 3);
    expect(rotations(copied).length).toBeLessThan(rotations(plan).length);
    const { owner, program } = await encryptedRun(copied, parameters);
    const segment = {
      hash: "",
      slots: copied.slots,
      input: copied.input,
      inputLevel: top.level,
      output: copied.output,
      outputCiphertexts: 1,
      outputLevel: 1,
      outputScale: POLICY.outputScale,
      expectedError: 1e-3,
    };
    const inputs = owner.encryptInput(segment, input);
    expect(inputs).toHaveLength(1 + turned);
    const { data } = owner.decryptOutput(segment, runEncrypted(program, owner.evaluator.operations, inputs));
    const want = runClear(plan, input).data;
    for (const [i, value] of data.entries()) expect(Math.abs(value - want[i]!)).toBeLessThan(1e-3);
  });
});
