/** The key's owner of a network on integers: encrypts images residue by residue, and puts the results together. */

import {
  type BatchEncoder,
  type BfvCiphertext,
  type BfvContext,
  type BfvEvaluator,
  createBatchEncoder,
  createBfvContexts,
  createBfvEvaluator,
} from "../bfv/index.ts";
import { CrcnnError } from "../errors/index.ts";
import {
  createResidueSystem,
  type IntegerManifest,
  type IntegerSegment,
  packBatch,
  quantizeValue,
  requireRoomForOutputs,
  sizeOf,
  type Tensor,
} from "../plan/index.ts";
import type { EvaluationKeys } from "../rlwe/index.ts";
import { decryptBfv, noiseBudget } from "./bfv-decrypt.ts";
import { encryptBfvSymmetric } from "./encrypt.ts";
import { createKeyring, type OwnerOptions } from "./keyring.ts";
import type { SecretKey } from "./secret-key.ts";

export interface IntegerOwner {
  readonly scheme: "bfv";
  /** One a plain modulus, all on one ring. */
  readonly contexts: readonly BfvContext[];
  /** The evaluator's side, one a plain modulus, with the same evaluation keys: public material only. */
  readonly evaluators: readonly BfvEvaluator[];
  readonly evaluationKeys: EvaluationKeys;
  /**
   * Encrypts images modulo one of the plain moduli, one ciphertext an input element.
   *
   * @param images One to N.
   * @param residue Number of the plain modulus.
   * @throws RangeError for another number of images or no such modulus; CrcnnError SHAPE_MISMATCH, PRECISION_LOST for an image out of range.
   */
  encryptBatch(segment: IntegerSegment, images: readonly Tensor[], residue: number): BfvCiphertext<"ntt">[];
  /**
   * Decrypts the outputs of the first `count` images: the network's integers, exactly.
   *
   * @param residues For each plain modulus, in order, the ciphertexts that its evaluation has given.
   * @returns By image, one integer an output element.
   * @throws CrcnnError PRECISION_LOST when they cannot be trusted, INVALID_MESSAGE for ciphertexts that are not what the plan yields.
   */
  decryptIntegers(segment: IntegerSegment, residues: readonly (readonly BfvCiphertext[])[], count: number): bigint[][];
  /** The same in the units of the network's outputs. */
  decryptBatch(segment: IntegerSegment, residues: readonly (readonly BfvCiphertext[])[], count: number): Tensor[];
  /** Bits of noise that a ciphertext can still take. Not to be shared: it depends on the key. */
  noiseBudget(ciphertext: BfvCiphertext): number;
  /** Overwrites the secret key and frees all keys. The owner must not be used any more. */
  destroy(): void;
}

/**
 * Draws a secret key and makes the evaluation key that the manifest lists.
 *
 * @throws CrcnnError VALUE_RANGE, before there is a key, where outputs could wrap around; INSECURE_PARAMETERS above the security table.
 */
export async function createIntegerOwner(manifest: IntegerManifest, options: OwnerOptions): Promise<IntegerOwner> {
  const { parameters, plainModuli, productTerms, keys, segments } = manifest;
  for (const { outputBounds } of segments) requireRoomForOutputs(plainModuli, outputBounds);
  let contexts: readonly BfvContext[] = [];
  const keyring = await createKeyring((on) => {
    contexts = createBfvContexts(parameters, plainModuli, { ...on, productTerms });
    return contexts[0]!;
  }, options);
  const { secret, random, store, evaluationKeys } = keyring;
  try {
    for (const make of store.missing({ relinearization: keys.relinearization, elements: [] })) make();
  } catch (error) {
    keyring.destroy();
    throw error;
  }
  const secrets = contexts.map((context) => underContext(secret, context));
  const encoders = contexts.map((context) => createBatchEncoder(context));
  const system = createResidueSystem(plainModuli);
  const slots = parameters.ringDegree;

  function requireResidue(residue: number): void {
    if (Number.isInteger(residue) && residue >= 0 && residue < contexts.length) return;
    throw new RangeError(`residue must be the number of a plain modulus, 0 to ${contexts.length - 1}, got ${residue}`);
  }

  /** @throws CrcnnError INVALID_MESSAGE when ciphertexts are not what the plan's last operation yields. */
  function requireResults(
    { outputShape, outputLevel, outputComponents }: IntegerSegment,
    residues: readonly (readonly BfvCiphertext[])[],
  ): void {
    const outputs = sizeOf(outputShape);
    const fits = ({ level, components }: BfvCiphertext): boolean =>
      level === outputLevel && components.length === outputComponents;
    if (residues.length === contexts.length && residues.every((own) => own.length === outputs && own.every(fits))) {
      return;
    }
    throw new CrcnnError(
      "INVALID_MESSAGE",
      `the plan yields ${outputs} ciphertexts of ${outputComponents} components at level ${outputLevel} for each of ${contexts.length} plain ` +
        `moduli, got ${residues.map((own) => own.length).join(", ") || "none"}; run the plan again, for every modulus`,
    );
  }

  const owner: IntegerOwner = {
    scheme: "bfv",
    contexts,
    evaluators: contexts.map((context) => createBfvEvaluator(context, evaluationKeys)),
    evaluationKeys,
    encryptBatch(segment, images, residue) {
      requireResidue(residue);
      const [key, encoder, t] = [secrets[residue]!, encoders[residue]!, plainModuli[residue]!];
      return packBatch(segment, slots, images).map((vector) => {
        const residues = vector
          .map((value) => quantizeValue(value, segment.inputScale) % t)
          .map((r) => (r < 0 ? r + t : r));
        return encryptBfvSymmetric(key, encoder.encode(residues), { random, level: segment.inputLevel });
      });
    },
    decryptIntegers(segment, residues, count) {
      if (!Number.isInteger(count) || count < 1 || count > slots) {
        throw new RangeError(`count must be an integer from 1 to ${slots}, got ${count}`);
      }
      requireResults(segment, residues);
      const [low, high] = segment.outputBounds.map(BigInt) as [bigint, bigint];
      const decoded = residues.map((own, i) => own.map((each) => decodeResidues(secrets[i]!, encoders[i]!, each)));
      return Array.from({ length: count }, (_, image) =>
        decoded[0]!.map((_, output) => {
          const value = system.combine(
            decoded.map((own) => own[output]![image]!),
            low,
          );
          if (value <= high) return value;
          throw new CrcnnError(
            "PRECISION_LOST",
            `output ${output} of image ${image} is outside of what the network can yield: the evaluations belong to different inputs, or a ` +
              "ciphertext was damaged; run the plan again, for every modulus",
          );
        }),
      );
    },
    decryptBatch(segment, residues, count) {
      const { outputShape: shape, outputScale } = segment;
      return owner.decryptIntegers(segment, residues, count).map((values) => ({
        shape,
        data: Float64Array.from(values, (value) => Number(value) / outputScale),
      }));
    },
    noiseBudget(ciphertext) {
      return noiseBudget(secrets[Math.max(contexts.indexOf(ciphertext.context), 0)]!, ciphertext);
    },
    destroy: keyring.destroy,
  };
  return owner;
}

function decodeResidues(secret: SecretKey<BfvContext>, encoder: BatchEncoder, ciphertext: BfvCiphertext): Int32Array {
  return encoder.decode(decryptBfv(secret, ciphertext), { signed: false });
}

/** The same key for another plain modulus of the same ring. */
function underContext(secret: SecretKey<BfvContext>, context: BfvContext): SecretKey<BfvContext> {
  return {
    context,
    get polynomial() {
      return secret.polynomial;
    },
    power: secret.power,
    destroy: secret.destroy,
  };
}
