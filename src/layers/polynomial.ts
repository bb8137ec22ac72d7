import { type Evaluator, type Layer, type LayerStep, type Shape, sizeOf } from "../plan/index.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";
import { createStepBuilder, cubic, type StepBuilder, type Value } from "./step-builder.ts";

export interface PolynomialOptions {
  /**
   * c_0, c_1, …, c_d of c_0 + c_1 x + … + c_d x^d, the last one not 0. Any degree up to 4, and degree 8 where no odd power but x itself has a
   * coefficient, as for x / 2 plus an even function: the shape of ReLU, SiLU and GELU.
   */
  readonly coefficients: readonly number[];
}

/**
 * A polynomial of each element, as stands in for an activation that no encrypted network has. It is computed from squares alone, since
 * a polynomial of degree 2 of anything is a square between two shifts, and shifts cost nothing:
 *
 *   c_2 x^2 + c_1 x + c_0       = c_2 (x + s)^2 + constant
 *   c_3 x^3 + …                 = a (((x + h)^2 + k)^2 - ((x - h)^2 + l)^2) + constant
 *   c_4 x^4 + …                 = c_4 ((x + s)^2 + k)^2 + b x + constant
 *   c_8 x^8 + … (even) + c_1 x  = the one of degree 4, of x^2, + c_1 x
 *
 * So degree 2 takes one product, degrees 3 and 4 two, degree 8 three, and the sum at the end joins the next layer's.
 *
 * @throws TypeError or RangeError for what are no such coefficients.
 */
export function polynomialLayer({ coefficients }: PolynomialOptions): Layer {
  const c = readCoefficients(coefficients);
  return makeLayer({
    kind: "Polynomial",
    options: { coefficients: c },
    outputShape: (inputShape) => [...inputShape],
    products: (shape) => c.length * sizeOf(shape),
    forward: (x) => x.map((value) => c.reduceRight((sum, each) => sum * value + each, 0)),
    algebra: (shape) => ({ kind: "steps", steps: stepsOf(c, shape) }),
  });
}

function readCoefficients(coefficients: readonly number[]): readonly number[] {
  if (!Array.isArray(coefficients)) {
    throw new TypeError(`Polynomial: coefficients must be a list of numbers, got ${String(coefficients)}`);
  }
  const bad = coefficients.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new RangeError(`Polynomial: coefficients must be finite numbers, number ${bad} is ${coefficients[bad]}`);
  }
  const degree = coefficients.length - 1;
  if (degree < 1 || coefficients[degree] === 0) {
    throw new RangeError(
      `Polynomial: coefficients must be at least two, the last one not 0, got [${coefficients.join(", ")}]`,
    );
  }
  const evenOfEight = degree === 8 && [3, 5, 7].every((power) => coefficients[power] === 0);
  if (degree > 4 && !evenOfEight) {
    throw new RangeError(
      `Polynomial: coefficients must be of degree 1 to 4, or 8 without x^3, x^5 and x^7, got degree ${degree}`,
    );
  }
  return Object.freeze([...coefficients]);
}

/** About twice the largest value that is met between the layers of trained networks. */
const LARGEST_SHIFT = 32;

function stepsOf(c: readonly number[], shape: Shape): LayerStep[] {
  const builder = createStepBuilder(shape);
  const at = (power: number): number => c[power] ?? 0;
  switch (c.length - 1) {
    case 1:
      builder.combine([[0, at(1)]], at(0));
      break;
    case 2: {
      const shift = at(1) / (2 * at(2));
      // Where the polynomial is nearly a line, the square would hold much more than the result.
      if (Math.abs(shift) <= LARGEST_SHIFT) {
        builder.combine([[builder.square(0, shift), at(2)]], at(0) - at(2) * shift ** 2);
      } else {
        builder.combine(
          [
            [builder.square(0, 0), at(2)],
            [0, at(1)],
          ],
          at(0),
        );
      }
      break;
    }
    case 3:
      cubic(builder, 0, [at(0), at(1), at(2), at(3)]);
      break;
    case 4: {
      const { square, linear, constant } = quartic(builder, 0, [at(0), at(1), at(2), at(3), at(4)]);
      builder.combine(
        [
          [square, at(4)],
          [0, linear],
        ],
        constant,
      );
      break;
    }
    default: {
      const even = builder.square(0, 0);
      const { square, linear, constant } = quartic(builder, even, [at(0), at(2), at(4), at(6), at(8)]);
      builder.combine(
        [
          [square, at(8)],
          [even, linear],
          [0, at(1)],
        ],
        constant,
      );
    }
  }
  return builder.steps;
}

/** c_4 y^4 + … as c_4 * `square` + `linear` * y + `constant`. */
function quartic(
  builder: StepBuilder,
  y: Value,
  [c0, c1, c2, c3, c4]: readonly [number, number, number, number, number],
): { square: Value; linear: number; constant: number } {
  // (y^2 + a y + b)^2 has the powers 4, 3 and 2 as they should be; y^2 + a y + b is (y + a / 2)^2 + b - a^2 / 4.
  const a = c3 / (2 * c4);
  const b = (c2 / c4 - a ** 2) / 2;
  const square = builder.square(builder.square(y, a / 2), b - a ** 2 / 4);
  return { square, linear: c1 - 2 * a * b * c4, constant: c0 - c4 * b ** 2 };
}

/** {@link polynomialLayer} on encrypted tensors: `const layer = polynomial(he, options); const y = layer(x);`. */
export function polynomial(he: Evaluator, options: PolynomialOptions): CallableLayer {
  return callable(he, polynomialLayer(options));
}
