import { CrcnnError } from "../errors/index.ts";
import { affineMap, type Evaluator, formatShape, type Layer, type Shape, sizeOf, type Tensor } from "../plan/index.ts";
import { type TensorLike, tensorOption } from "./arguments.ts";
import { type CallableLayer, callable } from "./callable.ts";
import { makeLayer } from "./layer.ts";

export interface ScaleOptions {
  /** What each value is multiplied by; one where omitted or null. */
  readonly factor?: TensorLike | null | undefined;
  /** What is added to each product; zero where omitted or null. */
  readonly shift?: TensorLike | null | undefined;
}

/**
 * y = x * factor + shift for each element, with constants of the input's shape or of one that is repeated to it as in PyTorch: axes are
 * compared from the last one, and a size of 1, or an axis that is not there, is repeated.
 *
 * @throws TypeError or RangeError for a constant that is no tensor of finite numbers.
 */
export function scaleLayer(options: ScaleOptions): Layer {
  const [factor, shift] = (["factor", "shift"] as const).map((name) => constantOption(name, options[name]));

  function outputShape(inputShape: Shape): Shape {
    for (const [name, constant] of Object.entries({ factor, shift })) {
      if (constant && !repeatsTo(constant.shape, inputShape)) {
        throw new CrcnnError(
          "SHAPE_MISMATCH",
          `Scale: the ${name} of shape ${formatShape(constant.shape)} does not repeat to the input's shape ${formatShape(inputShape)}`,
        );
      }
    }
    return [...inputShape];
  }

  return makeLayer({
    kind: "Scale",
    options: { factor: factor?.shape ?? null, shift: shift?.shape ?? null },
    outputShape,
    products: sizeOf,
    forward(x, shape) {
      const [multiply, add] = [repeated(factor, shape, 1), repeated(shift, shape, 0)];
      return x.map((value, i) => value * multiply(i) + add(i));
    },
    algebra(shape) {
      const [multiply, added] = [repeated(factor, shape, 1), repeated(shift, shape, 0)];
      const bias = Float64Array.from({ length: sizeOf(shape) }, (_, i) => added(i));
      return { kind: "affine", map: affineMap(shape, shape, (row, add) => add(row, multiply(row)), bias) };
    },
  });
}

function constantOption(name: string, value: TensorLike | null | undefined): Tensor | undefined {
  if (value === null || value === undefined) return undefined;
  const axes = Array.isArray(value.shape) ? value.shape.map((_, axis) => `axis ${axis}`) : [];
  return tensorOption(`Scale: ${name}`, value, axes);
}

function repeatsTo(constant: Shape, shape: Shape): boolean {
  const missing = shape.length - constant.length;
  return missing >= 0 && constant.every((size, axis) => size === 1 || size === shape[missing + axis]);
}

/** The constant's value by element of the input. */
function repeated(constant: Tensor | undefined, shape: Shape, otherwise: number): (element: number) => number {
  if (constant === undefined) return () => otherwise;
  const { data } = constant;
  if (data.length === 1) return () => data[0]!;
  const missing = shape.length - constant.shape.length;
  // The strides of repeated axes are zero.
  const strides = shape.map((_, axis) => {
    const own = axis - missing;
    return own < 0 || constant.shape[own] === 1 ? 0 : sizeOf(constant.shape.slice(own + 1));
  });
  return (element) => {
    let rest = element;
    let at = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (rest % shape[axis]!) * strides[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return data[at]!;
  };
}

/** {@link scaleLayer} on encrypted tensors: `const layer = scale(he, options); const y = layer(x);`. */
export function scale(he: Evaluator, options: ScaleOptions): CallableLayer {
  return callable(he, scaleLayer(options));
}
