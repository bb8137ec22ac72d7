/** Our side of the comparison: one holder of all keys, with ciphertexts of known slots. */

import {
  type CkksCiphertext,
  type CkksEvaluator,
  createCkksEvaluator,
  createEncoder,
  type Encoder,
  encryptPublic,
} from "crcnn/ckks";
import { findNttPrimes } from "crcnn/math";
import {
  createSecretKey,
  decryptPhase,
  generateGaloisKey,
  generatePublicKey,
  generateRelinearizationKey,
  type SecretKey,
} from "crcnn/owner";
import {
  createRlweContext,
  type EvaluationKeys,
  freeCiphertext,
  type PublicKey,
  type RlweContext,
  rotationElement,
} from "crcnn/rlwe";

export interface Chain {
  readonly ringDegree: number;
  readonly dataBits: readonly number[];
  readonly specialBits: readonly number[];
}

export interface Party {
  readonly context: RlweContext;
  readonly secret: SecretKey;
  readonly publicKey: PublicKey;
  readonly keys: EvaluationKeys;
  readonly encoder: Encoder;
  readonly evaluator: CkksEvaluator;
  encrypt(values: Float64Array, scale: number): CkksCiphertext;
  /** Real slots. */
  decryptSlots(ciphertext: CkksCiphertext): Float64Array;
}

/** A party with keys for relinearization and the given rotations, on the engine that is chosen by default. */
export function createParty({ ringDegree, dataBits, specialBits }: Chain, steps: readonly number[]): Party {
  const primes = findNttPrimes(ringDegree, [...dataBits, ...specialBits]);
  const context = createRlweContext({
    ringDegree,
    dataPrimes: primes.slice(0, dataBits.length),
    specialPrimes: primes.slice(dataBits.length),
    security: 128,
  });
  const { maxLevel } = context;
  const secret = createSecretKey(context);
  const publicKey = generatePublicKey(secret);
  const elements = steps.map((step) => rotationElement(ringDegree, step));
  const keys: EvaluationKeys = {
    relinearization: generateRelinearizationKey(secret, maxLevel),
    galois: new Map(elements.map((element) => [element, generateGaloisKey(secret, element, maxLevel)])),
  };
  const encoder = createEncoder(context);
  return {
    context,
    secret,
    publicKey,
    keys,
    encoder,
    evaluator: createCkksEvaluator(context, keys),
    encrypt(values, scale) {
      const plaintext = encoder.encode(values, { scale });
      const ciphertext = encryptPublic(context, plaintext, publicKey);
      plaintext.polynomial.block.free();
      return ciphertext;
    },
    decryptSlots(ciphertext) {
      const phase = decryptPhase(secret, ciphertext);
      const { real } = encoder.decode(phase, ciphertext.scale);
      phase.block.free();
      return real;
    },
  };
}

/** Slots of a result, which is freed. */
export function readAndFree(party: Party, ciphertext: CkksCiphertext): Float64Array {
  const slots = party.decryptSlots(ciphertext);
  freeCiphertext(ciphertext);
  return slots;
}
