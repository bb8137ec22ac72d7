/** What most programs need, under one name. Each tier is also exported by itself: `crcnn/math`, `crcnn/ckks`, … */
export {
  type BfvCiphertext,
  type BfvContext,
  type BfvEvaluator,
  type BfvParameters,
  type BfvPlaintext,
  chooseSeedParameters,
  createBatchEncoder,
  createBfvContext,
  createBfvEvaluator,
  createFractionalEncoder,
  createIntegerEncoder,
  createNoiseEstimator,
  decodeTensor,
  deserializeBfvCiphertexts,
  encodeTensor,
  encryptBfv,
  serializeBfvCiphertexts,
} from "../bfv/index.ts";
export * from "../builder/index.ts";
export * from "../client/index.ts";
export * from "../data/index.ts";
export { CrcnnError, ERROR_CODES, type ErrorCode } from "../errors/index.ts";
export * from "../layers/index.ts";
export {
  type BfvOwner,
  type BfvOwnerRequest,
  createOwner,
  type EncryptedBfvTensor,
  type IntegerOwner,
  type KeyOwner,
  type OwnerOptions,
  type OwnerRequest,
} from "../owner/index.ts";
export {
  type BatchManifest,
  type BatchPlan,
  createCkksBatchOperations,
  createEvaluator,
  createFractionalBatchOperations,
  createIntegerBatchOperations,
  deserializeManifest,
  type EncryptedTensor,
  type Evaluator,
  type IntegerManifest,
  type Layer,
  MissingKeysError,
  type Plan,
  type PlanManifest,
  prepareBatchProgram,
  prepareProgram,
  runBatch,
  runBatchClear,
  runClear,
  runEncrypted,
  runIntegerClear,
  type Shape,
  serializeManifest,
  type Tensor,
  tensor,
} from "../plan/index.ts";
