/** The RLWE core: parameters, public and evaluation keys, ciphertexts, key switching. Knows no scheme and no secret. */
export * from "./ciphertext.ts";
export * from "./encrypt.ts";
export * from "./galois.ts";
export * from "./key-switching.ts";
export * from "./keys.ts";
export * from "./linear-transform.ts";
export * from "./parameters.ts";
export * from "./security.ts";
export * from "./wire/bytes.ts";
export * from "./wire/ciphertext.ts";
export * from "./wire/header.ts";
export * from "./wire/keys.ts";
export * from "./wire/polynomial.ts";
export * from "./wire/public-key.ts";
