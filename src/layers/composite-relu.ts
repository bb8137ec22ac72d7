import { type Layer, type LayerStep, type Shape, sizeOf } from "../plan/index.ts";
import { makeLayer } from "./layer.ts";
import { createStepBuilder, cubic } from "./step-builder.ts";

export interface CompositeReluOptions {
  /** The largest magnitude of an element; beyond it the result is far off. */
  readonly range: number;
  /** How many polynomials of degree 3 the sign is composed of, 1 to 6. Each is three levels, and about doubles the slope at 0. */
  readonly compositions: number;
}

const MOST_COMPOSITIONS = 6;

/** Steep at 0, but up to a quarter off beside it: g_1 of the paper. Then f_1, which is flat at -1 and 1, brings that together. */
const STEEP = [2126 / 2 ** 10, -1359 / 2 ** 10] as const;
const FLAT = [3 / 2, -1 / 2] as const;

/**
 * x (1 + s(x / range)) / 2, a ReLU with a composed polynomial s in the place of the sign: s = f_1 ∘ f_1 ∘ g_1 ∘ … ∘ g_1 (Cheon, Kim and Kim, "Efficient homomorphic
 * comparison methods with optimal complexity", ASIACRYPT 2020, section 3). Far more exact around 0 than a single polynomial, and far deeper.
 *
 * @throws RangeError for a range that is no positive number, or another number of compositions.
 */
export function compositeReluLayer({ range, compositions }: CompositeReluOptions): Layer {
  if (!(typeof range === "number" && range > 0 && Number.isFinite(range))) {
    throw new RangeError(`CompositeReLU: range must be a positive number, got ${range}`);
  }
  if (!(Number.isInteger(compositions) && compositions >= 1 && compositions <= MOST_COMPOSITIONS)) {
    throw new RangeError(
      `CompositeReLU: compositions must be an integer from 1 to ${MOST_COMPOSITIONS}, got ${compositions}`,
    );
  }
  const flat = compositions < 3 ? 1 : 2;
  const odd = Array.from({ length: compositions }, (_, i) => (i < compositions - flat ? STEEP : FLAT));
  const signOf = (x: number): number => odd.reduce((y, [c1, c3]) => y * (c1 + c3 * y * y), x / range);
  return makeLayer({
    kind: "CompositeReLU",
    options: { range, compositions },
    outputShape: (inputShape) => [...inputShape],
    products: (shape) => 3 * compositions * sizeOf(shape),
    forward: (x) => x.map((value) => (value * (1 + signOf(value))) / 2),
    algebra: (shape) => ({ kind: "steps", steps: stepsOf(shape, range, odd) }),
  });
}

function stepsOf(shape: Shape, range: number, odd: readonly (readonly [number, number])[]): LayerStep[] {
  const builder = createStepBuilder(shape);
  const y = builder.combine([[0, 1 / range]], 0);
  const sign = odd.reduce((value, [c1, c3]) => cubic(builder, value, [0, c1, 0, c3]), y);
  // x s = range y s, and 4 y s = (y + s)^2 - (y - s)^2.
  const [plus, minus] = [1, -1].map((weight) =>
    builder.square(
      builder.combine(
        [
          [y, 1],
          [sign, weight],
        ],
        0,
      ),
      0,
    ),
  ) as [number, number];
  builder.combine(
    [
      [plus, range / 8],
      [minus, -range / 8],
      [0, 1 / 2],
    ],
    0,
  );
  return builder.steps;
}
