/** What a layer says of itself: its output shape, its forward pass in the clear, and its algebra, made of only two kinds of steps. */

import type { AffineMap } from "./affine-map.ts";
import type { Shape, Tensor } from "./tensor.ts";

/**
 * One step of algebra: affine, or the square of each element. An affine map of several inputs takes their elements one input after the other,
 * so its columns are those of the first, then those of the second, …
 */
export type StepAlgebra = { readonly kind: "affine"; readonly map: AffineMap } | { readonly kind: "square" };

/** A step of a layer that takes several. */
export interface LayerStep {
  readonly algebra: StepAlgebra;
  /** What it reads: 0 is the layer's input, k the result of the layer's k-th step, counted from 1. */
  readonly inputs: readonly number[];
}

/** A layer as algebra on the elements of its inputs. Several steps stand in an order in which they can be taken; the last is the output. */
export type LayerAlgebra = StepAlgebra | { readonly kind: "steps"; readonly steps: readonly LayerStep[] };

/** A layer of a network, without any key or scheme. Shapes have no batch axis. Most layers have one input, joins have several. */
export interface Layer {
  /** PyTorch's class name: `Conv2d`, `Linear`, … */
  readonly kind: string;
  /** The options under PyTorch's names in camel case, for reports. */
  readonly options: Readonly<Record<string, unknown>>;
  /**
   * Set where the layer has no algebra, so that only who can decrypt its input can apply it: `algebra` throws UNSUPPORTED_LAYER. It says what an
   * output depends on: the input element in its place, or several.
   */
  readonly exactOnly?: "element" | "window";
  /** Shape of the output for these input shapes. Throws SHAPE_MISMATCH naming them when the layer does not take them. */
  outputShape(...inputShapes: readonly Shape[]): Shape;
  /** The forward pass in double precision, with PyTorch's semantics to the letter. */
  forward(...inputs: readonly Tensor[]): Tensor;
  /** The layer as algebra on inputs of these shapes. */
  algebra(...inputShapes: readonly Shape[]): LayerAlgebra;
}
