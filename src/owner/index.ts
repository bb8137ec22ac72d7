/** All that touches a secret key. No server entry reaches this tier. */
export { decryptBfv, noiseBudget } from "./bfv-decrypt.ts";
export type { BfvKeyDemand, BfvOwner, BfvOwnerRequest, EncryptedBfvTensor } from "./bfv-owner.ts";
export * from "./decrypt.ts";
export * from "./encrypt.ts";
export type { IntegerOwner } from "./integer-owner.ts";
export * from "./key-owner.ts";
export { generateGaloisKey, generatePublicKey, generateRelinearizationKey } from "./keygen.ts";
export type { OwnerOptions } from "./keyring.ts";
export * from "./refresh-rounds.ts";
export { createSecretKey, type SecretKey } from "./secret-key.ts";
