import { describe, expect, test } from "vitest";
import { compile, networkSteps, runModel, traceShapes } from "../../src/builder/index.ts";
import { compositeReluLayer } from "../../src/layers/index.ts";
import { applyAffine, tensor } from "../../src/plan/index.ts";
import { chainOf } from "../helpers/chain.ts";
import { runCompiled } from "../helpers/encrypted.ts";
import { relativeError } from "../helpers/trained.ts";

const x = Float64Array.from({ length: 81 }, (_, i) => (i - 40) / 5);
const relu = (value: number): number => Math.max(0, value);

/** f_1 and g_1 of the paper, in its own words: (3 x - x^3) / 2 and (2126 x - 1359 x^3) / 2^10. */
function composed(value: number, compositions: number): number {
  const flat = compositions < 3 ? 1 : 2;
  let sign = value / 8;
  for (let i = 0; i < compositions - flat; i++) sign = (2126 * sign - 1359 * sign ** 3) / 1024;
  for (let i = 0; i < flat; i++) sign = (3 * sign - sign ** 3) / 2;
  return (value + value * sign) / 2;
}

describe("CompositeReLU", () => {
  test.each([1, 2, 3, 4])(
    "of %i compositions is what the paper's polynomials say, in the clear and step by step",
    (compositions) => {
      const model = chainOf([compositeReluLayer({ range: 8, compositions })]);
      const expected = x.map((value) => composed(value, compositions));
      const { data } = runModel(model, tensor([81], x));
      const values: Float64Array[] = [x];
      for (const { algebra, inputs } of networkSteps(model, traceShapes(model, [81]))) {
        const read = Float64Array.from(inputs.flatMap((input) => [...values[input]!]));
        values.push(algebra.kind === "square" ? read.map((value) => value * value) : applyAffine(algebra.map, read));
      }
      for (const [i, value] of expected.entries()) {
        expect(Math.abs(data[i]! - value)).toBeLessThan(1e-12);
        expect(Math.abs(values.at(-1)![i]! - value)).toBeLessThan(1e-10);
      }
    },
  );

  test("comes closer to a ReLU with every composition", () => {
    const largest = [1, 2, 3, 4, 5].map((compositions) => {
      const { data } = compositeReluLayer({ range: 8, compositions }).forward(tensor([81], x));
      return Math.max(...x.map((value, i) => Math.abs(data[i]! - relu(value))));
    });
    for (const [i, error] of largest.entries()) if (i > 0) expect(error).toBeLessThan(largest[i - 1]!);
    expect(largest[3]).toBeLessThan(0.02 * 8);
  });

  test("runs encrypted", async () => {
    const model = chainOf([compositeReluLayer({ range: 8, compositions: 2 })]);
    const network = compile(model, { inputShape: [81], inputRange: [-8, 8] });
    const { outputs, owner } = await runCompiled(network, [tensor([81], x)]);
    owner.destroy();
    expect(relativeError(outputs[0]!.data, runModel(model, tensor([81], x)).data)).toBeLessThan(1e-3);
  });

  test.each([
    [{ range: 0, compositions: 1 }, "range"],
    [{ range: Number.POSITIVE_INFINITY, compositions: 1 }, "range"],
    [{ range: 1, compositions: 0 }, "compositions"],
    [{ range: 1, compositions: 1.5 }, "compositions"],
    [{ range: 1, compositions: 7 }, "compositions"],
  ])("refuses %j", (options, name) => {
    expect(() => compositeReluLayer(options)).toThrow(RangeError);
    expect(() => compositeReluLayer(options)).toThrow(`CompositeReLU: ${name} must be`);
  });
});
