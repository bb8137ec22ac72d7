/** Models in, plans out. */
export { type Alternative, type AlternativeOptions, findAlternatives } from "./alternatives.ts";

export type { Architecture, LayerDescription } from "./architecture/architecture.ts";
export { parseArchitecture } from "./architecture/parse.ts";
export type { CompiledBatch } from "./batch/compile-batch.ts";
export type { CompiledIntegers } from "./batch/integer/compile-integer.ts";
export * from "./build-from-pytorch.ts";
export { coveringRange, type InputRange, syntheticInputs } from "./calibration.ts";
export * from "./compile.ts";
export type { CompileOptions, Objective, Scheme } from "./compile-options.ts";
export * from "./elementwise.ts";
export { load } from "./load/load.ts";
export type { ModelSource } from "./load/source.ts";
export {
  describeLayer,
  type NetworkStep,
  networkSteps,
  requireSupported,
  runModel,
  selectLayers,
  traceShapes,
  traceValues,
} from "./network.ts";
export * from "./onnx/index.ts";
export { type ReadModelOptions, readModel } from "./read-model.ts";
export { type LayerReport, type PlanReport, reportPlan } from "./report.ts";
export { type Compiled, isBatch, readPlan, savePlan } from "./saved-plan.ts";
export { MODEL_INPUT, type SourceLayer, type SourceModel } from "./source/source-model.ts";
export * from "./torch/index.ts";
