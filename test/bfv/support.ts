/** BFV parties with known randomness, and slots modulo t as the oracle. Toy parameters are insecure on purpose. */

import {
  type BatchEncoder,
  type BfvCiphertext,
  type BfvContext,
  type BfvEvaluator,
  type BfvParameters,
  createBatchEncoder,
  createBfvContext,
  createBfvEvaluator,
  createNoiseEstimator,
  encryptBfv,
  type NoiseEstimator,
} from "../../src/bfv/index.ts";
import { type Engine, findNttPrimes, type RandomSource } from "../../src/math/index.ts";
import {
  createSecretKey,
  decryptBfv,
  encryptBfvSymmetric,
  generateGaloisKey,
  generatePublicKey,
  generateRelinearizationKey,
  type SecretKey,
} from "../../src/owner/index.ts";
import { conjugationElement, type EvaluationKeys, type PublicKey, rotationElement } from "../../src/rlwe/index.ts";
import { randomIntegers, seededRandom } from "../helpers/random.ts";

export interface BfvShape {
  readonly degree?: number;
  /** Bits of the data primes and of the special ones. */
  readonly data: readonly number[];
  readonly special: readonly number[];
  readonly digitPrimes?: number;
  /** Bits of a batching prime, or the modulus itself where it is above 30. */
  readonly plain?: number;
  readonly security?: BfvParameters["security"];
}

/** Parameters with the largest primes of these lengths. */
export function bfvParameters({
  degree = 1024,
  data,
  special,
  digitPrimes,
  plain = 17,
  security = "insecure",
}: BfvShape): BfvParameters {
  const plainModulus = plain > 30 ? plain : findNttPrimes(degree, [plain])[0]!;
  const primes = findNttPrimes(degree, [...data, ...special], [plainModulus]);
  return {
    ringDegree: degree,
    dataPrimes: primes.slice(0, data.length),
    specialPrimes: primes.slice(data.length),
    digitPrimes,
    plainModulus,
    security,
  };
}

export interface BfvParty {
  readonly context: BfvContext;
  readonly secret: SecretKey<BfvContext>;
  readonly random: RandomSource;
  readonly publicKey: PublicKey;
  readonly evaluator: BfvEvaluator;
  readonly noise: NoiseEstimator;
  encryptPublic(coefficients: Int32Array): BfvCiphertext<"ntt">;
  encrypt(coefficients: Int32Array): BfvCiphertext<"ntt">;
  decrypt(ciphertext: BfvCiphertext): Int32Array;
}

export const ROW_STEPS: readonly number[] = [1, 5, -2];

/** A party with all keys, or none where there is no special prime; its randomness is the same in every run. */
export function createBfvParty(
  shape: BfvShape,
  { stream = 1, engine }: { stream?: number; engine?: Engine } = {},
): BfvParty {
  const parameters = bfvParameters(shape);
  const context = createBfvContext(parameters, { engine });
  const random = seededRandom(stream);
  const secret = createSecretKey(context, random);
  const { degree } = context.ring;
  const elements = [...ROW_STEPS.map((steps) => rotationElement(degree, steps)), conjugationElement(degree)];
  const keys: EvaluationKeys =
    context.alpha === 0
      ? { relinearization: undefined, galois: new Map() }
      : {
          relinearization: generateRelinearizationKey(secret, context.maxLevel, random),
          galois: new Map(
            elements.map((element) => [element, generateGaloisKey(secret, element, context.maxLevel, random)]),
          ),
        };
  const publicKey = generatePublicKey(secret, random);
  const { plainModulus } = parameters;
  return {
    context,
    secret,
    random,
    publicKey,
    evaluator: createBfvEvaluator(context, keys),
    noise: createNoiseEstimator(parameters),
    encryptPublic: (coefficients) => encryptBfv(context, { coefficients, plainModulus }, publicKey, { random }),
    encrypt: (coefficients) => encryptBfvSymmetric(secret, { coefficients, plainModulus }, { random }),
    decrypt: (ciphertext) => decryptBfv(secret, ciphertext).coefficients,
  };
}

/** Integers in [0, t), N of them unless said otherwise. */
export function randomResidues(
  { context }: BfvParty,
  random: RandomSource,
  count: number = context.ring.degree,
): Int32Array {
  return Int32Array.from(randomIntegers(count, context.plainModulus, random));
}

/** A party that thinks in slots. */
export interface SlotParty extends BfvParty {
  readonly encoder: BatchEncoder;
  encryptSlots(slots: Int32Array): BfvCiphertext<"ntt">;
  /** In [0, t). */
  decryptSlots(ciphertext: BfvCiphertext): Int32Array;
}

export function withSlots(party: BfvParty): SlotParty {
  const encoder = createBatchEncoder(party.context);
  return {
    ...party,
    encoder,
    encryptSlots: (slots) => party.encryptPublic(encoder.encode(slots).coefficients),
    decryptSlots: (ciphertext) => encoder.decode(decryptBfv(party.secret, ciphertext), { signed: false }),
  };
}

/** Slots combined one by one; every intermediate must stay below 2^53. */
export function zipSlots(
  t: number,
  x: Int32Array,
  y: Int32Array,
  combine: (a: number, b: number) => number,
): Int32Array {
  return x.map((a, i) => {
    const value = combine(a, y[i]!) % t;
    return value < 0 ? value + t : value;
  });
}

/** Both rows turned to the left. */
export function turnRows(slots: Int32Array, steps: number): Int32Array {
  const columns = slots.length / 2;
  return slots.map((_, i) => {
    const row = i < columns ? 0 : columns;
    return slots[row + ((((i - row + steps) % columns) + columns) % columns)]!;
  });
}

export function exchangeRows(slots: Int32Array): Int32Array {
  return slots.map((_, i) => slots[(i + slots.length / 2) % slots.length]!);
}
