/** The owner of BFV keys: encrypts, decrypts, measures noise, makes keys and refreshes. */

import {
  type BfvCiphertext,
  type BfvContext,
  type BfvEvaluator,
  type BfvParameters,
  type BfvPlaintext,
  createBfvContext,
  createBfvEvaluator,
  type DenseTensor,
  decodeTensor,
  encodeTensor,
  type PlaintextEncoder,
} from "../bfv/index.ts";
import type { Tensor } from "../plan/index.ts";
import { conjugationElement, type EvaluationKeys, type PublicKey, rotationElement } from "../rlwe/index.ts";
import { decryptBfv, noiseBudget } from "./bfv-decrypt.ts";
import { encryptBfvSymmetric } from "./encrypt.ts";
import { createKeyring, type OwnerOptions } from "./keyring.ts";

/** What an owner of BFV keys is made from. */
export interface BfvOwnerRequest {
  readonly scheme: "bfv";
  readonly parameters: BfvParameters;
}

/** Evaluation keys that are wanted. */
export interface BfvKeyDemand {
  readonly relinearization?: boolean;
  /** Steps of row rotations. */
  readonly rows?: readonly number[];
  /** The rotation of columns. */
  readonly columns?: boolean;
  /** Level up to which the keys must serve; the top one by default. */
  readonly level?: number;
}

/** A tensor in ciphertexts, the shape kept: consecutive elements, as many in each as the encoder's capacity. */
export interface EncryptedBfvTensor {
  readonly shape: readonly number[];
  readonly ciphertexts: readonly BfvCiphertext[];
}

export interface BfvOwner {
  readonly scheme: "bfv";
  readonly context: BfvContext;
  /** The evaluator's side, with the evaluation keys made so far: public material only. */
  readonly evaluator: BfvEvaluator;
  readonly evaluationKeys: EvaluationKeys;
  /** Made when first asked for. */
  publicKey(): PublicKey;
  /** Makes keys that do not exist yet at a sufficient level; the evaluator sees them at once. @throws CrcnnError NO_SPECIAL_PRIME */
  addKeys(demand: BfvKeyDemand): void;
  /** Encrypts under the secret key: the ciphertext carries a seed. */
  encrypt(plaintext: BfvPlaintext): BfvCiphertext<"ntt">;
  /** Not to be shared with others: see SECURITY.md. @throws CrcnnError PRECISION_LOST when no noise budget is left. */
  decrypt(ciphertext: BfvCiphertext): BfvPlaintext;
  /** Bits of noise that the ciphertext can still take. Not to be shared: it depends on the key. */
  noiseBudget(ciphertext: BfvCiphertext): number;
  /** Encrypts a tensor of any shape: one ciphertext an element, or a batch of N. */
  encryptTensor(encoder: PlaintextEncoder, tensor: DenseTensor): EncryptedBfvTensor;
  /** Decrypts a tensor; the shape is kept. Not to be shared with others. @throws CrcnnError PRECISION_LOST */
  decryptTensor(encoder: PlaintextEncoder, tensor: EncryptedBfvTensor): Tensor;
  /**
   * The same values encrypted afresh, with the full budget. An encoder, where one is given, decodes and encodes them on the way, which
   * gives digits back their fresh lengths.
   *
   * @throws CrcnnError PRECISION_LOST
   */
  refresh(tensor: EncryptedBfvTensor, encoder?: PlaintextEncoder): EncryptedBfvTensor;
  /** Overwrites the secret key and frees all keys. The owner must not be used any more. */
  destroy(): void;
}

/** Draws a secret key. Keys for evaluation are made when they are asked for. */
export async function createBfvOwner({ parameters }: BfvOwnerRequest, options: OwnerOptions): Promise<BfvOwner> {
  const keyring = await createKeyring((on) => createBfvContext(parameters, on), options);
  const { context, secret, random, store, evaluationKeys } = keyring;
  const { degree } = context.ring;
  const encrypt = (plaintext: BfvPlaintext): BfvCiphertext<"ntt"> => encryptBfvSymmetric(secret, plaintext, { random });
  const decrypt = (ciphertext: BfvCiphertext): BfvPlaintext => decryptBfv(secret, ciphertext);
  const owner: BfvOwner = {
    scheme: "bfv",
    context,
    evaluator: createBfvEvaluator(context, evaluationKeys),
    evaluationKeys,
    publicKey: keyring.publicKey,
    addKeys({ relinearization = false, rows = [], columns = false, level = context.maxLevel }) {
      const elements = rows.map((steps) => rotationElement(degree, steps)).filter((element) => element !== 1);
      if (columns) elements.push(conjugationElement(degree));
      const wanted = {
        relinearization: relinearization ? level : -1,
        elements: [...new Set(elements)].map((element) => ({ element, level })),
      };
      for (const make of store.missing(wanted)) make();
    },
    encrypt,
    decrypt,
    noiseBudget: (ciphertext) => noiseBudget(secret, ciphertext),
    encryptTensor(encoder, tensor) {
      const { shape, plaintexts } = encodeTensor(encoder, tensor);
      return { shape, ciphertexts: plaintexts.map(encrypt) };
    },
    decryptTensor(encoder, { shape, ciphertexts }) {
      return decodeTensor(encoder, { shape, plaintexts: ciphertexts.map(decrypt) });
    },
    refresh(tensor, encoder) {
      if (encoder) return owner.encryptTensor(encoder, owner.decryptTensor(encoder, tensor));
      return { shape: tensor.shape, ciphertexts: tensor.ciphertexts.map((ciphertext) => encrypt(decrypt(ciphertext))) };
    },
    destroy: keyring.destroy,
  };
  return owner;
}
