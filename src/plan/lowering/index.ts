export {
  type AffineChoice,
  type AffineProblem,
  createLoweringCache,
  type LoweringCache,
  polishChoice,
  visitChoices,
} from "./affine-choice.ts";
export { powerAbove } from "./candidates.ts";
export { type Decision, lowerDecisions } from "./decisions.ts";
export { estimateLowered, type LoweredCost, levelBefore } from "./estimate.ts";
export { type ImageShape, type InputPart, imageShape, imageStride, inputParts, type Stride } from "./geometry.ts";
export { type ChooseAffineOptions, chooseAffine, materialize } from "./lower-affine.ts";
export { choosePool, type PoolChoice } from "./pool.ts";
export { hoistedPrice, type LevelPrices, pricesAt } from "./prices.ts";
