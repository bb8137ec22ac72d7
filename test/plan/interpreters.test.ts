import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import {
  analysePlan,
  applyAffine,
  countUses,
  demandKeys,
  emitPlan,
  estimateCost,
  estimateNoise,
  flatLayout,
  formatPlan,
  hashPlan,
  type PlanNode,
  planDepth,
  planHoisting,
  prepareProgram,
  runClear,
  runEncrypted,
  schedulePlan,
} from "../../src/plan/index.ts";
import { encryptedRun, POLICY, SLOTS, seeds, smallNetwork, toyParameters } from "../helpers/plans.ts";

const largestDifference = (left: Float64Array, right: Float64Array): number =>
  left.reduce((most, value, i) => Math.max(most, Math.abs(value - right[i]!)), 0);

const TOP = { level: 3, scale: POLICY.messageScale };

describe("clear", () => {
  test("a plan computes what its maps and squares say", () => {
    fc.assert(
      fc.property(seeds, fc.boolean(), (seed, foldsBeforeRescale) => {
        const { plan, first, second, input } = smallNetwork(seed, { foldsBeforeRescale });
        const hidden = applyAffine(first, input.data).map((x) => x * x);
        expect(largestDifference(runClear(plan, input).data, applyAffine(second, hidden))).toBeLessThan(1e-12);
      }),
    );
  });

  test("an input of another shape is refused with both shapes", () => {
    const { plan } = smallNetwork(1);
    expect(() => runClear(plan, { shape: [3, 7], data: new Float64Array(21) })).toThrow(/shape 20, got 3x7/);
  });

  test("pools, folds and factors are carried through", () => {
    // The mean of four neighbours as a pool: slots 0, 4, 8 hold the sums, four times too large.
    const layout = flatLayout([12], 16);
    const output = { ...flatLayout([3], 16), position: Int32Array.of(0, 4, 8) };
    const plan = emitPlan(
      {
        slots: 16,
        input: {
          shape: [12],
          slots: 16,
          ciphertexts: 1,
          source: Int32Array.from({ length: 16 }, (_, i) => (i < 12 ? i : -1)),
        },
        stages: [
          {
            kind: "pool",
            layers: [0, 0],
            sources: [0],
            input: layout,
            output,
            sums: [[0]],
            folds: [[1], [2]],
            bias: [Float64Array.from({ length: 16 }, (_, i) => (i === 4 ? 12 : 0))],
            factor: 4,
          },
        ],
        output,
        outputFactor: 4,
      },
      { foldsBeforeRescale: false, rescaleLast: false },
    );
    const input = { shape: [12], data: Float64Array.from({ length: 12 }, (_, i) => i) };
    expect([...runClear(plan, input).data]).toEqual([1.5, 8.5, 9.5]);
    expect(planDepth(plan)).toBe(0);
  });
});

describe("encrypted", () => {
  test.each([1, 2, 3])("alpha %i: results equal the clear interpreter's, and all memory comes back", async (alpha) => {
    for (const rescaleLast of [false, true]) {
      const { plan, input } = smallNetwork(alpha + 10, { rescaleLast });
      const { owner, schedule, run } = await encryptedRun(plan, toyParameters(alpha));
      const before = owner.context.ring.heap.usage().used;
      const output = run(input);
      expect(owner.context.ring.heap.usage().used).toBe(before);
      const bound = 6 * estimateNoise(plan, analysePlan(plan, [input]), owner.context.parameters, schedule);
      expect(bound).toBeLessThan(1e-3);
      expect(largestDifference(output.data, runClear(plan, input).data)).toBeLessThan(bound);
    }
  });

  test("key switches and what sums them are raised; products, rescales and inputs are plain", () => {
    const { plan } = smallNetwork(3);
    const { raised, rotations, transforms } = planHoisting(plan);
    for (const [id, { op }] of plan.nodes.entries()) {
      if (op === "rotate" || op === "relinearize") expect(raised[id]).toBe(1);
      if (op === "input" || op === "square" || op === "rescale" || op === "addPlain") expect(raised[id]).toBe(0);
    }
    const turned = plan.nodes.flatMap((node) => (node.op === "rotate" ? [node.source] : []));
    const transformed = [...transforms.values()].flatMap(({ sources }) => sources.map(({ node }) => node));
    expect(new Set([...rotations.keys(), ...transformed])).toEqual(new Set(turned));
    expect(transformed.length).toBeGreaterThan(0);
  });

  describe("transforms", () => {
    const weights = Float64Array.of(1, 2, 3, 4);
    const term = (source: number) => ({ source, weights });
    /** Two inputs; the rotations of both go into two sums, one rotation of the second also elsewhere. */
    const nodes: PlanNode[] = [
      { op: "input", index: 0 },
      { op: "input", index: 1 },
      { op: "rotate", source: 0, steps: 1 },
      { op: "rotate", source: 1, steps: 2 },
      { op: "rotate", source: 0, steps: 3 },
      { op: "weightedSum", terms: [term(0), term(2), term(3)] },
      { op: "weightedSum", terms: [term(4), term(2)] },
      { op: "rotate", source: 6, steps: 1 },
      { op: "weightedSum", terms: [term(7)] },
      { op: "add", left: 5, right: 8 },
    ];
    const planOf = (list: readonly PlanNode[], outputs = [list.length - 1]) => ({
      slots: 4,
      input: { shape: [8], slots: 4, ciphertexts: 2, source: Int32Array.from({ length: 8 }, (_, i) => i) },
      nodes: list,
      layers: new Int32Array(list.length),
      groups: [[0, 0] as const],
      outputs,
      output: { shape: [4], position: Int32Array.of(0, 1, 2, 3), factor: 1 },
    });

    test("are made of sums that turn the same nodes, from the first sum on", () => {
      const { transforms, rotations } = planHoisting(planOf(nodes));
      expect([...transforms.keys()]).toEqual([5, 8]);
      expect(transforms.get(5)).toEqual({
        sources: [
          { node: 0, steps: [0, 1, 3] },
          { node: 1, steps: [2] },
        ],
        sums: [5, 6],
        terms: [
          [
            { source: 0, step: 0 },
            { source: 0, step: 1 },
            { source: 1, step: 0 },
          ],
          [
            { source: 0, step: 2 },
            { source: 0, step: 1 },
          ],
        ],
        rotations: [2, 3, 4],
      });
      expect([...rotations.keys()]).toEqual([]);
    });

    test("of two transforms that turn the same node, the last one gives it back", async () => {
      // The second sum also reads what is there after the first, so they cannot be made together.
      const list: PlanNode[] = [
        { op: "input", index: 0 },
        { op: "rotate", source: 0, steps: 1 },
        { op: "weightedSum", terms: [term(1)] },
        { op: "input", index: 1 },
        { op: "rotate", source: 3, steps: 2 },
        { op: "weightedSum", terms: [term(1), term(4)] },
        { op: "add", left: 2, right: 5 },
      ];
      const plan = planOf(list);
      const { transforms } = planHoisting(plan);
      expect([...transforms].map(([first, { rotations }]) => [first, rotations])).toEqual([
        [2, []],
        [5, [1, 4]],
      ]);
      const input = { shape: [8], data: Float64Array.from({ length: 8 }, (_, i) => (i - 3) / 8) };
      const { owner, run } = await encryptedRun(plan, toyParameters(1));
      const before = owner.context.ring.heap.usage().used;
      const { data } = run(input);
      expect(owner.context.ring.heap.usage().used).toBe(before);
      for (const [i, value] of runClear(plan, input).data.entries()) expect(data[i]).toBeCloseTo(value, 3);
    });

    test("leave out what something else reads too, and what depends on it", () => {
      const { transforms, rotations, transformed } = planHoisting(planOf([...nodes, { op: "add", left: 2, right: 9 }]));
      // Both sums read node 2, which the last node reads as well.
      expect([...transforms.keys()]).toEqual([8]);
      expect([...rotations]).toEqual([
        [0, [2, 4]],
        [1, [3]],
      ]);
      expect([...transformed]).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0]);
    });

    test.each([1, 2])("encrypted over two ciphertexts, alpha %i: what the clear interpreter says", async (alpha) => {
      // Without the second transform, whose weights would have to be encoded at scale 1.
      const start = [...nodes.slice(0, 8), { op: "add", left: 5, right: 7 } as const];
      for (const list of [start, [...start, { op: "add", left: 8, right: 6 } as const]]) {
        const plan = planOf(list);
        const input = { shape: [8], data: Float64Array.from({ length: 8 }, (_, i) => (i - 3) / 8) };
        const { owner, run } = await encryptedRun(plan, toyParameters(alpha));
        const before = owner.context.ring.heap.usage().used;
        const { data } = run(input);
        expect(owner.context.ring.heap.usage().used).toBe(before);
        expect(largestDifference(data, runClear(plan, input).data)).toBeLessThan(1e-3);
      }
    });
  });

  test("a sum is raised as soon as one of its terms is, and plain otherwise", () => {
    const weights = new Float64Array(4).fill(1);
    const nodes = [
      { op: "input", index: 0 },
      { op: "rotate", source: 0, steps: 1 },
      {
        op: "weightedSum",
        terms: [
          { source: 0, weights },
          { source: 1, weights },
        ],
      },
      { op: "weightedSum", terms: [{ source: 0, weights }] },
      { op: "add", left: 2, right: 3 },
      { op: "add", left: 3, right: 3 },
    ] as const;
    const plan = { ...smallNetwork(1).plan, nodes, outputs: [4, 5] };
    expect([...planHoisting(plan).raised]).toEqual([0, 1, 1, 0, 1, 0]);
  });

  test("progress counts every node once, in order, and an aborted signal stops the run", async () => {
    const { plan, input } = smallNetwork(5);
    const parameters = toyParameters(1);
    const { owner, schedule } = await encryptedRun(plan, parameters);
    const program = prepareProgram(plan, schedule, owner.evaluator.encoder);
    const { ciphertexts } = owner.encryptTensor(input, flatLayout([20], SLOTS));
    const seen: number[] = [];
    const controller = new AbortController();
    runEncrypted(program, owner.evaluator.operations, ciphertexts, { onProgress: ({ done }) => seen.push(done) });
    expect(seen).toEqual(plan.nodes.map((_, id) => id + 1));
    const onProgress = ({ done }: { done: number }): void => {
      if (done === 3) controller.abort();
    };
    const aborted = (): unknown =>
      runEncrypted(program, owner.evaluator.operations, ciphertexts, { onProgress, signal: controller.signal });
    expect(aborted).toThrow(expect.objectContaining({ code: "ABORTED" }));
  });

  test("missing keys are listed in one error, whose demand makes them", async () => {
    const { plan } = smallNetwork(6);
    const { owner, schedule } = await encryptedRun(plan, toyParameters(1));
    const demand = {
      rotations: [
        { steps: 77, level: 2 },
        { steps: 78, level: 1 },
      ],
      relinearization: 3,
    };
    const requireKeys = (): void => owner.evaluator.requireKeys(demand);
    expect(requireKeys).toThrow(/rotations by 77, 78 and for relinearization; .*addKeys/);
    owner.addKeys(demand);
    expect(requireKeys).not.toThrow();
    expect(() => owner.evaluator.requireKeys(demandKeys(plan, schedule))).not.toThrow();
  });
});

describe("cost", () => {
  test.each([1, 2, 3])("alpha %i: predicted kernel calls are those that the kernels are called for", async (alpha) => {
    const { plan, input } = smallNetwork(31);
    const parameters = toyParameters(alpha);
    const { owner, schedule } = await encryptedRun(plan, parameters);
    const program = prepareProgram(plan, schedule, owner.evaluator.encoder);
    const { ciphertexts } = owner.encryptTensor(input, flatLayout([20], SLOTS));
    const kernels = owner.context.ring.kernels as unknown as Record<string, (...args: unknown[]) => void>;
    const counted = { transforms: 0, products: 0, reductions: 0, passes: 0 };
    const spy = (name: string, count: (args: unknown[]) => void): void => {
      const original = kernels[name]!;
      kernels[name] = (...args) => {
        count(args);
        original(...args);
      };
    };
    spy("forwardNtt", () => counted.transforms++);
    spy("inverseNtt", () => counted.transforms++);
    const sum = (products: number, results: number): void => {
      counted.products += products * results;
      counted.reductions += results;
    };
    spy("multiply", () => sum(1, 1));
    spy("dotProduct", ([, lefts]) => sum((lefts as unknown[]).length, 1));
    // By blocks of a limb, and for both components.
    spy("dotProductPair", ([, , rights, count]) =>
      sum((rights as unknown[]).length, (2 * (count as number)) / parameters.ringDegree),
    );
    for (const name of ["add", "multiplyScalar", "subtractMultiplyScalar"]) spy(name, () => counted.passes++);
    spy("liftDigits", ([, digits]) => {
      counted.passes += (digits as unknown[]).length;
    });
    const copies = vi.spyOn(Int32Array.prototype, "copyWithin");
    runEncrypted(program, owner.evaluator.operations, ciphertexts);
    for (const [, from, to] of copies.mock.calls) counted.passes += (to! - from) / parameters.ringDegree;
    copies.mockRestore();
    const { counts } = estimateCost(plan, parameters, schedule, demandKeys(plan, schedule));
    const { transforms, products, reductions, keyProducts, keyReductions, passes } = counts;
    expect(counted).toEqual({
      transforms,
      products: products + keyProducts,
      reductions: reductions + keyReductions,
      passes,
    });
  });
});

describe("schedule and hash", () => {
  test("every product lands exactly on the message scale, and each use of a node is counted", () => {
    const { plan } = smallNetwork(41);
    const parameters = toyParameters(1);
    const { scales, levels } = schedulePlan(plan, parameters, POLICY, TOP);
    const firstRescale = plan.nodes.findIndex(({ op }) => op === "rescale");
    expect(scales[firstRescale]).toBe(POLICY.messageScale);
    expect(levels[plan.outputs[0]!]).toBe(TOP.level - planDepth(plan));
    expect(scales[plan.outputs[0]!]).toBe(POLICY.outputScale);
    expect(countUses(plan).every((uses) => uses > 0)).toBe(true);
  });

  test("keys are demanded at the highest level of their use", () => {
    const { plan } = smallNetwork(42);
    const { rotations, relinearization } = demandKeys(plan, schedulePlan(plan, toyParameters(1), POLICY, TOP));
    expect(relinearization).toBe(2);
    expect(Math.max(...rotations.map(({ level }) => level))).toBe(3);
    expect(rotations.map(({ steps }) => steps)).toEqual(
      [...new Set(rotations.map(({ steps }) => steps))].sort((a, b) => a - b),
    );
  });

  test("the hash tells plans apart by one weight, and is equal for equal plans", () => {
    const { plan } = smallNetwork(43);
    expect(hashPlan(plan)).toBe(hashPlan(smallNetwork(43).plan));
    const changed = smallNetwork(43).plan;
    const sum = changed.nodes.find((node) => node.op === "weightedSum");
    if (sum?.op === "weightedSum") sum.terms[0]!.weights[0]! += 1e-12;
    expect(hashPlan(changed)).not.toBe(hashPlan(plan));
    expect(formatPlan(plan).split("\n")).toHaveLength(plan.nodes.length);
  });
});
