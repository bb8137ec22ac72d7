export * from "./affine-map.ts";
export * from "./layer.ts";
export * from "./layout.ts";
export * from "./lowered.ts";
export * from "./slot-cost.ts";
export * from "./tensor.ts";
