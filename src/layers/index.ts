/** One small file a layer. `conv2d(he, options)` is called on encrypted tensors, `conv2dLayer(options)` is the layer without any key. */
export type { Pair, TensorLike } from "./arguments.ts";
export { type AvgPool2dOptions, avgPool2d, avgPool2dLayer } from "./avg-pool2d.ts";
export { type CallableLayer, callable } from "./callable.ts";
export { type Conv2dOptions, conv2d, conv2dLayer } from "./conv2d.ts";
export { type FlattenOptions, flatten, flattenLayer } from "./flatten.ts";
export { type LinearOptions, linear, linearLayer } from "./linear.ts";
export { square, squareLayer } from "./square.ts";
