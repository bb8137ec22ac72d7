/** The batch packing: one ciphertext a tensor element, one slot an image. */
export * from "./check-batch.ts";
export * from "./ckks.ts";
export * from "./clear.ts";
export * from "./cost.ts";
export * from "./draft.ts";
export * from "./encrypted.ts";
export * from "./fractional.ts";
export * from "./fractional-forecast.ts";
export * from "./fractional-plan.ts";
export * from "./integer/index.ts";
export * from "./manifest.ts";
export * from "./noise.ts";
export * from "./packing.ts";
export * from "./plan.ts";
export * from "./quantize.ts";
export * from "./schedule.ts";
export {
  type BatchSpan,
  type BatchTile,
  spansOf as batchSpans,
  type TileStep,
  tilesOf as batchTiles,
} from "./tiles.ts";
