/** Our side of the comparison: one holder of all keys, with ciphertexts of known slots. */

import {
  type BatchEncoder,
  type BfvCiphertext,
  type BfvContext,
  type BfvEvaluator,
  createBatchEncoder,
  createBfvContext,
  createBfvEvaluator,
  encryptBfv,
} from "crcnn/bfv";
import { findNttPrimes } from "crcnn/math";
import {
  createSecretKey,
  decryptBfv,
  generateGaloisKey,
  generatePublicKey,
  generateRelinearizationKey,
  type SecretKey,
} from "crcnn/owner";
import { freeCiphertext, type PublicKey, rotationElement } from "crcnn/rlwe";

export interface BfvChain {
  readonly ringDegree: number;
  readonly dataBits: readonly number[];
  readonly specialBits: readonly number[];
  /** Bits of the plain modulus, a prime that batches. */
  readonly plainBits: number;
}

export interface BfvParty {
  readonly context: BfvContext;
  readonly secret: SecretKey<BfvContext>;
  readonly publicKey: PublicKey;
  readonly encoder: BatchEncoder;
  readonly evaluator: BfvEvaluator;
  encrypt(slots: Int32Array): BfvCiphertext<"ntt">;
  /** Slots in [0, t) of a ciphertext, which is freed. */
  readAndFree(ciphertext: BfvCiphertext): Int32Array;
}

/** A party with keys for relinearization and the given row rotations, on the engine that is chosen by default. */
export function createBfvParty(
  { ringDegree, dataBits, specialBits, plainBits }: BfvChain,
  steps: readonly number[],
): BfvParty {
  const plainModulus = findNttPrimes(ringDegree, [plainBits])[0]!;
  const primes = findNttPrimes(ringDegree, [...dataBits, ...specialBits], [plainModulus]);
  const context = createBfvContext({
    ringDegree,
    dataPrimes: primes.slice(0, dataBits.length),
    specialPrimes: primes.slice(dataBits.length),
    plainModulus,
    security: 128,
  });
  const { maxLevel } = context;
  const secret = createSecretKey(context);
  const publicKey = generatePublicKey(secret);
  const elements = steps.map((step) => rotationElement(ringDegree, step));
  const encoder = createBatchEncoder(context);
  return {
    context,
    secret,
    publicKey,
    encoder,
    evaluator: createBfvEvaluator(context, {
      relinearization: generateRelinearizationKey(secret, maxLevel),
      galois: new Map(elements.map((element) => [element, generateGaloisKey(secret, element, maxLevel)])),
    }),
    encrypt: (slots) => encryptBfv(context, encoder.encode(slots), publicKey),
    readAndFree(ciphertext) {
      const slots = encoder.decode(decryptBfv(secret, ciphertext), { signed: false });
      freeCiphertext(ciphertext);
      return slots;
    },
  };
}
