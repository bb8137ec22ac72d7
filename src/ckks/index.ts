/** The CKKS scheme on public material: encoding, public-key encryption, evaluation. Decryption is in `crcnn/owner`. */
export * from "./ciphertext.ts";
export * from "./encoder.ts";
export * from "./encrypt.ts";
export * from "./evaluator.ts";
export type { RaisedEvaluator, RaisedTerm } from "./raised.ts";
export * from "./scale.ts";
export type { SlotVector } from "./slots.ts";
export * from "./wire.ts";
