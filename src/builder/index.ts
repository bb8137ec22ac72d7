/** Models in, plans out. */

export { exactOnlyRefusal } from "./activation-refusal.ts";
export type { CompiledBatch } from "./batch/compile-batch.ts";
export * from "./build-from-pytorch.ts";
export { coveringRange, type InputRange, syntheticInputs } from "./calibration.ts";
export * from "./compile.ts";
export type { Activations, CompileOptions, Objective } from "./compile-options.ts";
export * from "./elementwise.ts";
export * from "./fit/index.ts";
export {
  describeLayer,
  type NetworkStep,
  networkSteps,
  requireExact,
  requireSupported,
  runModel,
  selectLayers,
  traceShapes,
  traceValues,
} from "./network.ts";
export * from "./torch/index.ts";
