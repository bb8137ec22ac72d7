import { CrcnnError } from "../errors/index.ts";
import { affineMap, formatShape, type Layer, type Shape, sizeOf } from "../plan/index.ts";
import { type ByInput, makeJoin } from "./layer.ts";

export interface ConcatOptions {
  /** Counted as PyTorch counts, with the batch as axis 0; negative ones count from the end. 1, the channels, where omitted. */
  readonly dim?: number | undefined;
}

/**
 * torch.cat: tensors one after the other along an axis.
 *
 * @throws TypeError or RangeError for an axis that is no integer, or the batch axis.
 */
export function concatLayer({ dim = 1 }: ConcatOptions = {}): Layer {
  if (typeof dim !== "number") throw new TypeError(`Concat: dim must be an integer, got ${String(dim)}`);
  if (!Number.isInteger(dim) || dim === 0) {
    throw new RangeError(
      `Concat: dim must be an integer other than 0, the batch axis, got ${dim}; use 1 for the channels`,
    );
  }

  /** The axis without the batch. */
  function axisOf(shapes: ByInput<Shape>): number {
    const [{ length: rank }] = shapes;
    const axis = dim < 0 ? rank + dim : dim - 1;
    const fits = shapes.every(
      (shape) => shape.length === rank && shape.every((size, at) => at === axis || size === shapes[0][at]),
    );
    if (axis >= 0 && axis < rank && fits) return axis;
    throw new CrcnnError(
      "SHAPE_MISMATCH",
      `Concat(dim ${dim}) takes inputs that differ along that axis alone, got ${shapes.map(formatShape).join(" and ")}`,
    );
  }

  return makeJoin({
    kind: "Concat",
    options: { dim },
    outputShape(shapes) {
      const axis = axisOf(shapes);
      return shapes[0].map((size, at) => (at === axis ? shapes.reduce((sum, shape) => sum + shape[axis]!, 0) : size));
    },
    forward: (inputs, shapes) => {
      const sources = concatSources(shapes, axisOf(shapes));
      const values = joined(inputs);
      return Float64Array.from(sources, (source) => values[source]!);
    },
    algebra: (shapes, shape) => {
      const sources = concatSources(shapes, axisOf(shapes));
      return { kind: "affine", map: affineMap([sources.length], shape, (row, add) => add(sources[row]!, 1)) };
    },
  });
}

function joined(inputs: readonly Float64Array[]): Float64Array {
  const values = new Float64Array(inputs.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const input of inputs) {
    values.set(input, start);
    start += input.length;
  }
  return values;
}

/** For each element of the result, its place among the elements of all inputs one after the other. */
function concatSources(shapes: ByInput<Shape>, axis: number): Int32Array {
  const sources = new Int32Array(shapes.reduce((sum, shape) => sum + sizeOf(shape), 0));
  const outer = sizeOf(shapes[0].slice(0, axis));
  let at = 0;
  for (let block = 0; block < outer; block++) {
    let start = 0;
    for (const shape of shapes) {
      const run = sizeOf(shape) / outer;
      for (let i = 0; i < run; i++) sources[at++] = start + block * run + i;
      start += sizeOf(shape);
    }
  }
  return sources;
}
