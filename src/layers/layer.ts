/** What every layer does around its own arithmetic: checks of the input, a limit on size, a frozen result. */

import { CrcnnError } from "../errors/index.ts";
import { formatShape, type Layer, type LayerAlgebra, type Shape, sizeOf } from "../plan/index.ts";

/**
 * Most values of an input, and most products in one forward pass, which are the entries that the layer's matrix can have.
 * They take 12 bytes each, 800 MB: more than any network that can be run encrypted, and less than would exhaust time or
 * memory when a model's sizes are hostile.
 */
const MAX_PRODUCTS = 2 ** 26;

/** The arithmetic of a layer; its functions may trust the shapes and the length of the data that they are given. */
export interface LayerSpec {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Gets positive integers; throws SHAPE_MISMATCH for a shape that the layer does not take. */
  outputShape(inputShape: Shape): Shape;
  /** Upper bound of the products in one forward pass, computed without any work. */
  products(inputShape: Shape, outputShape: Shape): number;
  forward(x: Float64Array, inputShape: Shape, outputShape: Shape): Float64Array;
  algebra(inputShape: Shape, outputShape: Shape): LayerAlgebra;
}

/** The layer of a specification, with its public edge: every method checks the shape, `forward` also the data. */
export function makeLayer(spec: LayerSpec): Layer {
  function outputShape(inputShape: Shape): Shape {
    if (!inputShape.every((size) => Number.isSafeInteger(size) && size > 0)) {
      throw new RangeError(
        `${spec.kind}: the input's shape must hold positive integers, got ${formatShape(inputShape)}`,
      );
    }
    const shape = spec.outputShape(inputShape);
    const work = Math.max(sizeOf(inputShape), spec.products(inputShape, shape));
    if (work > MAX_PRODUCTS) {
      throw new CrcnnError(
        "UNSUPPORTED_LAYER",
        `${spec.kind} from ${formatShape(inputShape)} to ${formatShape(shape)} comes to ${work} values or products, more than ` +
          `${MAX_PRODUCTS}; use smaller images or fewer channels`,
      );
    }
    return shape;
  }

  return Object.freeze({
    kind: spec.kind,
    options: Object.freeze(spec.options),
    outputShape,
    forward(input) {
      const shape = outputShape(input.shape);
      if (!(input.data instanceof Float64Array)) {
        throw new TypeError(`${spec.kind}: the input's data must be a Float64Array; make the input with tensor()`);
      }
      if (input.data.length !== sizeOf(input.shape)) {
        throw new RangeError(
          `${spec.kind}: an input of shape ${formatShape(input.shape)} needs ${sizeOf(input.shape)} values, got ${input.data.length}`,
        );
      }
      return { shape, data: spec.forward(input.data, input.shape, shape) };
    },
    algebra: (inputShape) => spec.algebra(inputShape, outputShape(inputShape)),
  } satisfies Layer);
}
