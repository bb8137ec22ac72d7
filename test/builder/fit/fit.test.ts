import { describe, expect, test } from "vitest";
import { type ActivationFit, applyFit, compile, fit, runModel, type SourceModel } from "../../../src/builder/index.ts";
import {
  addLayer,
  flattenLayer,
  linearLayer,
  maxPool2dLayer,
  reluLayer,
  sigmoidLayer,
  siluLayer,
  tanhLayer,
} from "../../../src/layers/index.ts";
import { type Layer, type Tensor, tensor } from "../../../src/plan/index.ts";
import { chainOf, graphOf } from "../../helpers/chain.ts";
import { loadFixture, runCompiled } from "../../helpers/encrypted.ts";
import { readNpy, unbatch } from "../../helpers/npy.ts";
import { relativeError } from "../../helpers/trained.ts";
import { conv, linear, randomNumbers } from "../planner/networks.ts";

function vectors(count: number, size = 8, seed = 1): Tensor[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () =>
    tensor(
      [size],
      Float64Array.from({ length: size }, () => random()),
    ),
  );
}

/** p(x) with the coefficients of a fit. */
const polynomialAt = ({ coefficients }: ActivationFit["activations"][number], x: number): number =>
  coefficients.reduce((sum, c, k) => sum + c * x ** k, 0);

describe("fit", () => {
  const net = chainOf([linear(8, 10), siluLayer(), linear(10, 6), reluLayer(), linear(6, 4)]);
  const calibration = vectors(200);

  test("composes a sign for ReLU where that is asked for, and can be applied again", () => {
    const { model, fit: found } = fit(net, { calibration, method: "sign", agreement: 0.5 });
    expect(model.layers.map(({ layer }) => layer.kind)).toEqual([
      "Linear",
      "Polynomial",
      "Linear",
      "CompositeReLU",
      "Linear",
    ]);
    const [, composed] = found.activations;
    const range = Math.max(...composed!.interval.map(Math.abs));
    expect(composed!.composition!.range).toBeCloseTo(range, 12);
    expect(composed!.largestError).toBeLessThan(0.05 * range);
    const again = applyFit(net, JSON.parse(JSON.stringify(found)) as ActivationFit);
    expect(runModel(again, calibration[0]!)).toEqual(runModel(model, calibration[0]!));
  });

  test("puts a polynomial in the place of each activation, fitted on what reaches it", () => {
    const { model, fit: found } = fit(net, { calibration, agreement: 0.5 });
    expect(model.layers.map(({ layer }) => layer.kind)).toEqual([
      "Linear",
      "Polynomial",
      "Linear",
      "Polynomial",
      "Linear",
    ]);
    expect(found.activations.map(({ index, kind }) => [index, kind])).toEqual([
      [1, "SiLU"],
      [3, "ReLU"],
    ]);
    // What reaches the second activation has gone through the first polynomial.
    let reached = calibration.map((input) => runModel({ layers: model.layers.slice(0, 3) }, input));
    const [, second] = found.activations;
    const values = reached.flatMap(({ data }) => [...data]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    expect(second!.interval[0]).toBeCloseTo(low - 0.1 * (high - low), 9);
    expect(second!.interval[1]).toBeCloseTo(high + 0.1 * (high - low), 9);
    const typical = Math.sqrt(
      values.reduce((sum, x) => sum + (Math.max(0, x) - polynomialAt(second!, x)) ** 2, 0) / values.length,
    );
    expect(second!.typicalError / typical).toBeCloseTo(1, 2);
    reached = calibration.map((input) => runModel(model, input));
    const exact = calibration.map((input) => runModel(net, input));
    const answers = (outputs: readonly Tensor[]): number[] =>
      outputs.map(({ data }) => data.indexOf(Math.max(...data)));
    const same = answers(reached).filter((answer, i) => answer === answers(exact)[i]).length;
    expect(found.agreement).toBe(same / calibration.length);
    expect(found.agreement).toBeGreaterThanOrEqual(0.5);
    expect(found.expectedAgreement).toBeGreaterThanOrEqual(0.5);
    const largest = Math.max(...exact.flatMap(({ data }) => [...data].map(Math.abs)));
    const worst = Math.max(
      ...reached.flatMap(({ data }, i) => [...data].map((value, k) => Math.abs(value - exact[i]!.data[k]!))),
    );
    expect(found.outputError).toBeCloseTo(worst / largest, 12);
  });

  test("is plain data, of which the same model is made again", () => {
    const { model, fit: found } = fit(net, { calibration: calibration.slice(0, 20), agreement: 0.5 });
    const again = applyFit(net, JSON.parse(JSON.stringify(found)) as ActivationFit);
    for (const input of calibration.slice(0, 3)) expect(runModel(again, input)).toEqual(runModel(model, input));
    const other = expect.objectContaining({
      code: "UNSUPPORTED_MODEL",
      message: expect.stringMatching(/SiLU as layer 1/),
    });
    expect(() => applyFit(chainOf([linear(8, 10), reluLayer()]), found)).toThrow(other);
    expect(() => applyFit(chainOf([linear(8, 10)]), found)).toThrow(other);
  });

  test("takes the smallest degrees that keep the answers, and says so where none does", () => {
    const found = (agreement: number): ActivationFit => fit(net, { calibration, agreement }).fit;
    const kept = ({ agreement, expectedAgreement }: ActivationFit): number => Math.min(agreement, expectedAgreement);
    const lowest = found(0);
    expect(lowest.activations.map(({ degree }) => degree)).toEqual([2, 2]);
    // A little more than the lowest degrees keep takes higher ones, as much as they keep does not.
    const more = found(kept(lowest) + 1e-9);
    expect(kept(more)).toBeGreaterThan(kept(lowest));
    expect(Math.max(...more.activations.map(({ degree }) => degree))).toBe(4);
    expect(found(kept(lowest))).toEqual(lowest);
    expect(() => fit(net, { calibration, degrees: [2], agreement: 1 })).toThrow(
      expect.objectContaining({
        code: "UNSUPPORTED_MODEL",
        message: expect.stringMatching(
          /^polynomials of degree 2, 2 keep the answers of \d+\.\d % .*--activations client/,
        ),
      }),
    );
  });

  test("degrees follow the function's shape: 3 for odd ones, 8 without odd powers but x", () => {
    const of = (layer: Layer, options = {}): ActivationFit["activations"][number] =>
      fit(chainOf([linear(8, 10), layer, linear(10, 4)]), { calibration, agreement: 0, ...options }).fit
        .activations[0]!;
    expect([tanhLayer(), sigmoidLayer()].map((layer) => of(layer).degree)).toEqual([3, 3]);
    for (const method of ["least-squares", "minimax"] as const) {
      const eight = of(siluLayer(), { degrees: [8], method });
      expect(eight.coefficients.map((c, k) => (k % 2 === 1 && k > 1 ? c : 1))).toEqual([1, 1, 1, 0, 1, 0, 1, 0, 1]);
      expect(eight.coefficients[1]).toBeCloseTo(0.5, 3);
      expect(eight.largestError).toBeLessThan(of(siluLayer(), { degrees: [2], method }).largestError / 10);
    }
    expect(() => of(tanhLayer(), { degrees: [8], method: "minimax" })).toThrow(
      /degree 8, Tanh has .* least squares alone/,
    );
  });

  test("minimax has the smaller largest error, least squares the smaller typical one", () => {
    const [squares, minimax] = (["least-squares", "minimax"] as const).map(
      (method) => fit(net, { calibration, method, degrees: [2], agreement: 0 }).fit.activations[0]!,
    );
    expect(minimax!.largestError).toBeLessThan(squares!.largestError);
    expect(squares!.typicalError).toBeLessThan(minimax!.typicalError);
  });

  test.each([2, 4, 8] as const)("just outside of the interval degree %i grows, and does not explode", (degree) => {
    for (const layer of [reluLayer(), siluLayer()]) {
      const model = chainOf([linear(8, 30), layer, linear(30, 4)]);
      const [activation] = fit(model, { calibration, degrees: [degree], agreement: 0 }).fit.activations;
      const [low, high] = activation!.interval;
      const beyond = 0.05 * (high - low);
      for (const x of [low - beyond, high + beyond]) {
        const exact = layer.forward(tensor([1], [x])).data[0]!;
        expect(Math.abs(polynomialAt(activation!, x) - exact)).toBeLessThan(0.5 * (high - low));
      }
    }
  });

  test("a pool of maxima stays the owner's, and the activations beside it", () => {
    const pooled = chainOf([
      conv(1, 2, 3),
      reluLayer(),
      maxPool2dLayer({ kernelSize: 2 }),
      flattenLayer(),
      linear(18, 6),
      reluLayer(),
      linear(6, 3),
    ]);
    const random = randomNumbers(3);
    const images = Array.from({ length: 40 }, () => tensor([1, 8, 8], Float64Array.from({ length: 64 }, random)));
    const { model, fit: found } = fit(pooled, { calibration: images, agreement: 0 });
    expect(found.activations.map(({ index }) => index)).toEqual([5]);
    expect(found.ownerLayers).toEqual([1, 2]);
    const { manifest } = compile(model, { inputShape: [1, 8, 8], activations: "client", calibration: images });
    expect(manifest.segments.map(({ ownerLayers }) => ownerLayers.map(({ kind }) => kind))).toEqual([
      ["ReLU", "MaxPool2d"],
      [],
    ]);
  });

  test("within a shortcut, and of a model without activations", () => {
    const block = graphOf([
      [linear(8, 8)],
      [siluLayer()],
      [linear(8, 8)],
      [addLayer(), [2, 0]],
      [reluLayer()],
      [linear(8, 4)],
    ]);
    const { model, fit: found } = fit(block, { calibration, agreement: 0.5 });
    expect(found.activations.map(({ index }) => index)).toEqual([1, 4]);
    expect(model.layers[3]!.inputs).toEqual([2, 0]);
    const plain = chainOf([linear(8, 3)]);
    expect(fit(plain, { calibration }).fit).toEqual({
      activations: [],
      ownerLayers: [],
      agreement: 1,
      expectedAgreement: 1,
      outputError: 0,
    });
  });

  test("an activation that does nothing, or only passes on", () => {
    const shifted = (bias: number): SourceModel => chainOf([linear(8, 4), biased(bias), reluLayer(), linear(4, 3)]);
    const { fit: found } = fit(shifted(50), { calibration, agreement: 0 });
    expect(found.activations[0]!.coefficients).toHaveLength(2);
    expect(found.activations[0]!.coefficients[1]).toBeCloseTo(1, 7);
    expect(() => fit(shifted(-50), { calibration })).toThrow(
      expect.objectContaining({
        code: "UNSUPPORTED_MODEL",
        message: expect.stringMatching(/layer 2 \(ReLU\) gives 0 for every/),
      }),
    );
  });

  test.each([
    [{ calibration: [] }, TypeError, /calibration must be a list of at least one/],
    [{ calibration: [tensor([8], new Array(8).fill(Number.NaN))] }, TypeError, /calibration\[0\] must be a tensor/],
    [{ calibration, degrees: [5] }, RangeError, /degrees must be a list of 2, 3, 4, 8, got \[5\]/],
    [{ calibration, method: "remez" }, RangeError, /method must be "least-squares", "minimax", "sign"/],
    [{ calibration, margin: -1 }, RangeError, /margin must be a number from 0 to 10, got -1/],
    [{ calibration, agreement: 2 }, RangeError, /agreement must be a number from 0 to 1, got 2/],
    [{ calibration: vectors(2, 5) }, Error, /layer 0 \(Linear\) with an input of shape 5/],
  ])("refuses options that are none (%#)", (options, kind, message) => {
    const call = () => fit(net, options as Parameters<typeof fit>[1]);
    expect(call).toThrow(kind);
    expect(call).toThrow(message);
  });
});

/** x + bias on four elements. */
function biased(bias: number): Layer {
  const identity = { shape: [4, 4], data: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1] };
  return linearLayer({ weight: identity, bias: { shape: [4], data: [bias, bias, bias, bias] } });
}

test("encrypted: an activation of each degree, against the same polynomial in the clear", async () => {
  const inputs = unbatch(readNpy("variants/act-silu.input.npy"));
  const model = loadFixture("variants/act-silu.pt");
  const calibration = [
    ...inputs,
    ...vectors(60, 12).map(({ shape, data }) => ({ shape, data: data.map((x) => 3 * x) })),
  ];
  for (const degree of [2, 4, 8] as const) {
    const fitted = fit(model, { calibration, degrees: [degree], agreement: 0 });
    const network = compile(fitted.model, { inputShape: [12], calibration });
    const { outputs, owner } = await runCompiled(network, inputs);
    owner.destroy();
    for (const [i, { data }] of outputs.entries()) {
      expect(relativeError(data, runModel(fitted.model, inputs[i]!).data)).toBeLessThan(1e-3);
    }
  }
});
