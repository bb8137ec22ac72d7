export { type ActivationFit, applyFit, type FittedModel, fit } from "./fit.ts";
export type { FittedActivation } from "./fit-layer.ts";
export type { FitDegree, FitMethod, FitOptions } from "./fit-options.ts";
