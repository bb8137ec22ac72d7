export type { Pair, TensorLike } from "./arguments.ts";
export { type AvgPool2dOptions, avgPool2dLayer } from "./avg-pool2d.ts";
export { type Conv2dOptions, conv2dLayer } from "./conv2d.ts";
export { type FlattenOptions, flattenLayer } from "./flatten.ts";
export { type LinearOptions, linearLayer } from "./linear.ts";
export { squareLayer } from "./square.ts";
