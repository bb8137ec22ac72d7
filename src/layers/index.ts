/** One small file a layer. `conv2d(he, options)` is called on encrypted tensors, `conv2dLayer(options)` is the layer without any key. */
export { type AdaptiveSize, adaptiveAvgPool2d, adaptiveAvgPool2dLayer } from "./adaptive-avg-pool2d.ts";
export { addLayer } from "./add.ts";
export type { Pair, TensorLike } from "./arguments.ts";
export { type AvgPool1dOptions, avgPool1d, avgPool1dLayer } from "./avg-pool1d.ts";
export { type AvgPool2dOptions, avgPool2d, avgPool2dLayer } from "./avg-pool2d.ts";
export { type BatchNormOptions, batchNorm1d, batchNorm1dLayer, batchNorm2d, batchNorm2dLayer } from "./batch-norm.ts";
export { type CallableLayer, callable } from "./callable.ts";
export { type ConcatOptions, concatLayer } from "./concat.ts";
export { type ConvTranspose2dOptions, convTranspose2d, convTranspose2dLayer } from "./conv-transpose2d.ts";
export { type Conv1dOptions, conv1d, conv1dLayer } from "./conv1d.ts";
export { type Conv2dOptions, conv2d, conv2dLayer } from "./conv2d.ts";
export { type FlattenOptions, flatten, flattenLayer } from "./flatten.ts";
export { type IdentityKind, identity, identityLayer } from "./identity.ts";
export { type LinearOptions, linear, linearLayer } from "./linear.ts";
export type { Single } from "./one-dimensional.ts";
export { square, squareLayer } from "./square.ts";
export { type UnflattenOptions, unflatten, unflattenLayer } from "./unflatten.ts";
export { type SidePadding, zeroPad2d, zeroPad2dLayer } from "./zero-pad2d.ts";
