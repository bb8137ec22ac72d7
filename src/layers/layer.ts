/** What every layer does around its own arithmetic: checks of the inputs, a limit on size, a frozen result. */

import { CrcnnError } from "../errors/index.ts";
import { formatShape, type Layer, type LayerAlgebra, type Shape, sizeOf, type Tensor } from "../plan/index.ts";

/**
 * Most values of an input, and most products in one forward pass, which are the entries that the layer's matrix can have.
 * They take 12 bytes each, 800 MB: more than any network that can be run encrypted, and less than would exhaust time or
 * memory when a model's sizes are hostile.
 */
const MAX_PRODUCTS = 2 ** 26;

/** The arithmetic of a layer of one input; its functions may trust the shapes and the length of the data that they are given. */
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

/** One item for each input of a layer. */
export type ByInput<T> = readonly [T, ...T[]];

/** The same of a layer of several inputs: two or more. */
export interface JoinSpec {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
  outputShape(inputShapes: ByInput<Shape>): Shape;
  forward(inputs: ByInput<Float64Array>, inputShapes: ByInput<Shape>, outputShape: Shape): Float64Array;
  algebra(inputShapes: ByInput<Shape>, outputShape: Shape): LayerAlgebra;
}

/** The layer of a specification, with its public edge: every method checks the shape, `forward` also the data. */
export function makeLayer({ kind, options, ...spec }: LayerSpec): Layer {
  return edge({
    kind,
    options,
    takes: (count) => count === 1,
    wanted: "one input",
    outputShape: ([inputShape]) => spec.outputShape(inputShape),
    products: ([inputShape], shape) => spec.products(inputShape, shape),
    forward: ([x], [inputShape], shape) => spec.forward(x, inputShape, shape),
    algebra: ([inputShape], shape) => spec.algebra(inputShape, shape),
  });
}

/** As {@link makeLayer}, of several inputs. */
export function makeJoin(spec: JoinSpec): Layer {
  return edge({
    ...spec,
    takes: (count) => count >= 2,
    wanted: "two or more inputs",
    products: (inputShapes) => inputShapes.reduce((sum, shape) => sum + sizeOf(shape), 0),
  });
}

interface EdgeSpec extends JoinSpec {
  takes(count: number): boolean;
  /** What `takes` wants, for messages. */
  readonly wanted: string;
  products(inputShapes: ByInput<Shape>, outputShape: Shape): number;
}

function edge(spec: EdgeSpec): Layer {
  const { kind } = spec;

  function requireInputs<T>(inputs: readonly T[]): asserts inputs is ByInput<T> {
    if (spec.takes(inputs.length)) return;
    throw new CrcnnError("SHAPE_MISMATCH", `${kind} takes ${spec.wanted}, got ${inputs.length}`);
  }

  function outputShape(...inputShapes: readonly Shape[]): Shape {
    requireInputs(inputShapes);
    for (const inputShape of inputShapes) {
      if (inputShape.every((size) => Number.isSafeInteger(size) && size > 0)) continue;
      throw new RangeError(`${kind}: the input's shape must hold positive integers, got ${formatShape(inputShape)}`);
    }
    const shape = spec.outputShape(inputShapes);
    const work = Math.max(...inputShapes.map(sizeOf), spec.products(inputShapes, shape));
    if (work > MAX_PRODUCTS) {
      throw new CrcnnError(
        "UNSUPPORTED_LAYER",
        `${kind} from ${inputShapes.map(formatShape).join(" and ")} to ${formatShape(shape)} comes to ${work} values or products, more ` +
          `than ${MAX_PRODUCTS}; use smaller images or fewer channels`,
      );
    }
    return shape;
  }

  function dataOf({ shape, data }: Tensor): Float64Array {
    if (!(data instanceof Float64Array)) {
      throw new TypeError(`${kind}: the input's data must be a Float64Array; make the input with tensor()`);
    }
    if (data.length === sizeOf(shape)) return data;
    throw new RangeError(
      `${kind}: an input of shape ${formatShape(shape)} needs ${sizeOf(shape)} values, got ${data.length}`,
    );
  }

  return Object.freeze({
    kind,
    options: Object.freeze(spec.options),
    outputShape,
    forward(...inputs) {
      const shapes = inputs.map(({ shape }) => shape);
      requireInputs(shapes);
      const shape = outputShape(...shapes);
      const data = inputs.map(dataOf);
      requireInputs(data);
      return { shape, data: spec.forward(data, shapes, shape) };
    },
    algebra(...inputShapes) {
      requireInputs(inputShapes);
      return spec.algebra(inputShapes, outputShape(...inputShapes));
    },
  } satisfies Layer);
}
