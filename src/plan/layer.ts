/** What a layer says of itself: its output shape, its forward pass in the clear, and its algebra (one of only two kinds). */

import type { AffineMap } from "./affine-map.ts";
import type { Shape, Tensor } from "./tensor.ts";

/** A layer as algebra on the elements of its input: affine, or the square of each element. */
export type LayerAlgebra = { readonly kind: "affine"; readonly map: AffineMap } | { readonly kind: "square" };

/** A layer of a network, without any key or scheme. Shapes have no batch axis. */
export interface Layer {
  /** PyTorch's class name: `Conv2d`, `Linear`, … */
  readonly kind: string;
  /** The options under PyTorch's names in camel case, for reports. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Set where the layer has no algebra, so that only who can decrypt its input can apply it: `algebra` throws UNSUPPORTED_LAYER. */
  readonly exactOnly?: true;
  /** Shape of the output for this input shape. Throws SHAPE_MISMATCH naming both when the layer does not take it. */
  outputShape(inputShape: Shape): Shape;
  /** The forward pass in double precision, with PyTorch's semantics to the letter. */
  forward(input: Tensor): Tensor;
  /** The layer as algebra on an input of this shape. */
  algebra(inputShape: Shape): LayerAlgebra;
}
