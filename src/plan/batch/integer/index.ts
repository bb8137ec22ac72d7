/** The batch packing on integers: BFV, one ciphertext a tensor element and prime, one slot an image. */
export * from "./bounds.ts";
export * from "./clear.ts";
export * from "./cost.ts";
export * from "./forecast.ts";
export * from "./manifest.ts";
export * from "./operations.ts";
export * from "./plan.ts";
export * from "./residues.ts";
