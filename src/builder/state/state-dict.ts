/** Weights by name, as PyTorch's `state_dict()` has them, whatever file they come from. */

export interface StateTensor {
  /** PyTorch's name of the element type: `float32`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** The elements in row-major order, widened exactly to doubles; undefined where they are not floats. */
  read(): Float64Array | undefined;
}

/** In the file's order. */
export type StateDict = ReadonlyMap<string, StateTensor>;
