/** Networks as data: tensors, affine maps, layouts, lowering, the Plan, and its interpreters (clear, cost, encrypted). */
export * from "./affine-map.ts";
export * from "./clear.ts";
export * from "./cost.ts";
export * from "./emit.ts";
export * from "./encrypted.ts";
export * from "./encrypted-tensor.ts";
export * from "./evaluator.ts";
export * from "./layer.ts";
export * from "./layout.ts";
export * from "./lowered.ts";
export * from "./manifest.ts";
export * from "./noise.ts";
export * from "./packing.ts";
export * from "./plan.ts";
export * from "./schedule.ts";
export * from "./slot-cost.ts";
export * from "./tensor.ts";
