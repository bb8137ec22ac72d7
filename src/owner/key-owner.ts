/** The key's owner: the one who encrypts, decrypts, makes keys and refreshes. */

import { type CkksCiphertext, formatScale, type Plaintext, sameScale } from "../ckks/index.ts";
import { CrcnnError, throwIfAborted } from "../errors/index.ts";
import { applyOwnerLayers } from "../layers/index.ts";
import {
  type BatchManifest,
  type BatchSegment,
  createEvaluator,
  type EncryptedTensor,
  type Evaluator,
  elementsOf,
  flatLayout,
  type IntegerManifest,
  type KeyDemand,
  type Layout,
  type PlanManifest,
  packBatch,
  packInput,
  packingOf,
  type Refresher,
  type ScalePolicy,
  type SegmentManifest,
  sizeOf,
  type Tensor,
  unpackBatch,
  unpackOutput,
} from "../plan/index.ts";
import {
  createRlweContext,
  type EvaluationKeys,
  type PublicKey,
  type RlweContext,
  type RlweParameters,
} from "../rlwe/index.ts";
import { type BfvOwner, type BfvOwnerRequest, createBfvOwner } from "./bfv-owner.ts";
import { decryptPhase } from "./decrypt.ts";
import { encryptSymmetric } from "./encrypt.ts";
import { createIntegerOwner, type IntegerOwner } from "./integer-owner.ts";
import { createKeyring, type OwnerOptions } from "./keyring.ts";

/** What an owner of CKKS keys is made from: a compiled network's manifest, or bare parameters. */
export type OwnerRequest =
  | PlanManifest
  | BatchManifest
  | { readonly scheme: "ckks"; readonly parameters: RlweParameters; readonly policy?: ScalePolicy };

export interface KeyOwner extends Refresher {
  readonly context: RlweContext;
  /** The evaluator's side, with the evaluation keys made so far: public material only. */
  readonly evaluator: Evaluator;
  readonly evaluationKeys: EvaluationKeys;
  /** Made when first asked for. */
  publicKey(): PublicKey;
  /** Makes the keys of a demand that do not exist yet at a sufficient level; the evaluator sees them at once. */
  addKeys(demand: KeyDemand): void;
  /** Encodes a tensor for a layout (row-major by default), at the top level and the policy's message scale. */
  encodeTensor(tensor: Tensor, layout?: Layout): Plaintext[];
  /** Encrypts a tensor of any shape for a layout (row-major over as many ciphertexts as it takes, by default). */
  encryptTensor(tensor: Tensor, layout?: Layout): EncryptedTensor;
  /** Decrypts a tensor; the shape is kept. Not to be shared with others: see SECURITY.md. */
  decryptTensor(tensor: EncryptedTensor): Tensor;
  /** Encrypts an input of a compiled network's segment. @throws CrcnnError SHAPE_MISMATCH */
  encryptInput(segment: SegmentManifest, input: Tensor): CkksCiphertext[];
  /**
   * Decrypts a segment's result, and applies the layers that are the owner's to it.
   *
   * @throws CrcnnError PRECISION_LOST when it cannot be trusted.
   */
  decryptOutput(segment: SegmentManifest, ciphertexts: readonly CkksCiphertext[]): Tensor;
  /**
   * Encrypts images for a network that was compiled for throughput, one ciphertext an input element.
   *
   * @param images One to N / 2.
   * @throws RangeError for another number of images; CrcnnError SHAPE_MISMATCH, PRECISION_LOST for one out of range.
   */
  encryptBatch(segment: BatchSegment, images: readonly Tensor[]): CkksCiphertext[];
  /** As `decryptOutput`, for the outputs of the first `count` images. @throws CrcnnError PRECISION_LOST when they cannot be trusted. */
  decryptBatch(segment: BatchSegment, ciphertexts: readonly CkksCiphertext[], count: number): Tensor[];
  /** Overwrites the secret key and frees all keys. The owner must not be used any more. */
  destroy(): void;
}

/** Bits of the last product left free for its values, where nothing is known about them. */
const OUTPUT_HEADROOM_BITS = 8;

/**
 * Scales for bare parameters: messages at the typical size of the primes that rescale, the last product as large as two primes hold with
 * headroom for values up to 2^7.
 */
export function defaultPolicy({ dataPrimes }: RlweParameters): ScalePolicy {
  const bits = dataPrimes.map(Math.log2);
  const rescaling = bits.length > 2 ? bits.slice(2) : bits;
  const mean = rescaling.reduce((sum, each) => sum + each, 0) / rescaling.length;
  const base = bits.slice(0, 2).reduce((sum, each) => sum + each, 0);
  return {
    messageScale: 2 ** Math.min(Math.round(mean), Math.floor(base) - OUTPUT_HEADROOM_BITS),
    outputScale: 2 ** (Math.floor(base) - OUTPUT_HEADROOM_BITS),
  };
}

/**
 * Draws a secret key and makes the evaluation keys that the manifest lists, giving way to other work between them.
 *
 * @throws CrcnnError INSECURE_PARAMETERS above the security table, VALUE_RANGE for integers whose outputs could wrap around, ABORTED.
 */
export async function createOwner(request: IntegerManifest, options?: OwnerOptions): Promise<IntegerOwner>;
export async function createOwner(request: BfvOwnerRequest, options?: OwnerOptions): Promise<BfvOwner>;
export async function createOwner(request: OwnerRequest, options?: OwnerOptions): Promise<KeyOwner>;
export async function createOwner(
  request: OwnerRequest | BfvOwnerRequest | IntegerManifest,
  options: OwnerOptions = {},
): Promise<KeyOwner | BfvOwner | IntegerOwner> {
  throwIfAborted(options.signal);
  if (typeof request?.parameters?.ringDegree !== "number") {
    throw new TypeError("createOwner: request must be a compiled network's manifest, or { scheme, parameters }");
  }
  if ("plainModuli" in request) return createIntegerOwner(request, options);
  return request.scheme === "bfv" ? createBfvOwner(request, options) : createCkksOwner(request, options);
}

async function createCkksOwner(request: OwnerRequest, options: OwnerOptions): Promise<KeyOwner> {
  const { onProgress, signal } = options;
  const keyring = await createKeyring((on) => createRlweContext(request.parameters, on), options);
  const { context, secret, random, store, evaluationKeys } = keyring;
  const policy = request.policy ?? defaultPolicy(request.parameters);
  const missing = (demand: KeyDemand): (() => void)[] =>
    store.missing({ relinearization: demand.relinearization, elements: elementsOf(context.ring.degree, demand) });
  const evaluator = createEvaluator(context, evaluationKeys, policy);
  const { encoder } = evaluator;

  function encryptVectors(
    vectors: readonly Float64Array[],
    level: number,
    scale: number = policy.messageScale,
  ): CkksCiphertext[] {
    return vectors.map((vector) => {
      const plaintext = encoder.encode(vector, { scale, level });
      const ciphertext = encryptSymmetric(secret, plaintext, random);
      plaintext.polynomial.block.free();
      return ciphertext;
    });
  }

  /** Real slots; the largest imaginary part, which measures the error, since real messages have none; and how full the modulus is. */
  function decryptVectors(
    ciphertexts: readonly CkksCiphertext[],
    slots: number,
  ): { vectors: Float64Array[]; error: number; fill: number } {
    let error = 0;
    let fullest = 0;
    const vectors = ciphertexts.map((ciphertext) => {
      const phase = decryptPhase(secret, ciphertext);
      const { real, imaginary, fill } = encoder.decode(phase, ciphertext.scale, slots);
      fullest = Math.max(fullest, fill);
      phase.block.free();
      for (const part of imaginary) error = Math.max(error, Math.abs(part));
      return real;
    });
    return { vectors, error, fill: fullest };
  }

  /** Real slots of a plan's result. @throws CrcnnError PRECISION_LOST when values left the range that the plan was made for. */
  function decryptTrusted(ciphertexts: readonly CkksCiphertext[], slots: number, expected: number): Float64Array[] {
    const { vectors, error, fill } = decryptVectors(ciphertexts, slots);
    if (fill <= LARGEST_FILL && error <= LOST_FACTOR * expected) return vectors;
    throw new CrcnnError(
      "PRECISION_LOST",
      `the result fills ${Math.round(100 * fill)} % of its modulus with an error of about ${error.toExponential(1)}, planned were at most ` +
        `${100 * LARGEST_FILL} % and ${expected.toExponential(1)}: the values left the range that the plan was made for (calibrate with ` +
        "inputs like this one), or the ciphertext was damaged",
    );
  }

  const owner: KeyOwner = {
    context,
    evaluator,
    evaluationKeys,
    publicKey: keyring.publicKey,
    addKeys(demand) {
      for (const make of missing(demand)) make();
    },
    encodeTensor(tensor, layout = flatLayout(tensor.shape, encoder.slots)) {
      return packInput(packingOf(layout), tensor).map((vector) =>
        encoder.encode(vector, { scale: policy.messageScale }),
      );
    },
    encryptTensor(tensor, layout = flatLayout(tensor.shape, encoder.slots)) {
      const ciphertexts = encryptVectors(packInput(packingOf(layout), tensor), context.maxLevel);
      return { shape: tensor.shape, layout, factor: 1, ciphertexts };
    },
    decryptTensor({ shape, layout, factor, ciphertexts }) {
      const { vectors } = decryptVectors(ciphertexts, layout.slots);
      return unpackOutput({ shape, position: layout.position, factor }, layout.slots, vectors);
    },
    refresh(tensor, layout = tensor.layout) {
      return owner.encryptTensor(owner.decryptTensor(tensor), layout);
    },
    encryptInput(segment, input) {
      return encryptVectors(packInput(segment.input, input), segment.inputLevel);
    },
    decryptOutput(segment, ciphertexts) {
      const { output, outputCiphertexts, slots, ownerLayers, expectedError } = segment;
      requireResult(segment, outputCiphertexts, ciphertexts);
      const vectors = decryptTrusted(ciphertexts, slots, expectedError * output.factor);
      return applyOwnerLayers(ownerLayers, unpackOutput(output, slots, vectors));
    },
    encryptBatch(segment, images) {
      return encryptVectors(packBatch(segment, encoder.slots, images), segment.inputLevel, segment.inputScale);
    },
    decryptBatch(segment, ciphertexts, count) {
      if (!Number.isInteger(count) || count < 1 || count > encoder.slots) {
        throw new RangeError(`count must be an integer from 1 to ${encoder.slots}, got ${count}`);
      }
      requireResult(segment, sizeOf(segment.outputShape), ciphertexts);
      const vectors = decryptTrusted(ciphertexts, encoder.slots, segment.expectedError);
      return unpackBatch(segment, vectors, count).map((output) => applyOwnerLayers(segment.ownerLayers, output));
    },
    destroy: keyring.destroy,
  };
  try {
    if ("keys" in request) await makeInStretches(missing(request.keys), onProgress, signal);
  } catch (error) {
    owner.destroy();
    throw error;
  }
  return owner;
}

/** Longest work without a pause, in milliseconds: a page can paint, and a caller cancel, between two keys. */
const STRETCH = 40;

async function makeInStretches(
  makers: readonly (() => void)[],
  onProgress: OwnerOptions["onProgress"],
  signal: AbortSignal | undefined,
): Promise<void> {
  let paused = performance.now();
  for (const [i, make] of makers.entries()) {
    throwIfAborted(signal);
    make();
    onProgress?.({ done: i + 1, total: makers.length });
    if (performance.now() - paused < STRETCH) continue;
    await new Promise((resolve) => setTimeout(resolve));
    paused = performance.now();
  }
}

/** @throws CrcnnError INVALID_MESSAGE when ciphertexts are not what the plan's last operation yields. */
function requireResult(
  { outputLevel, outputScale }: Pick<SegmentManifest, "outputLevel" | "outputScale">,
  outputCiphertexts: number,
  ciphertexts: readonly CkksCiphertext[],
): void {
  const fits = ({ level, scale }: CkksCiphertext): boolean => level === outputLevel && sameScale(scale, outputScale);
  if (ciphertexts.length === outputCiphertexts && ciphertexts.every(fits)) return;
  const found = ciphertexts.map(({ level, scale }) => `level ${level} and scale ${formatScale(scale)}`).join(", ");
  throw new CrcnnError(
    "INVALID_MESSAGE",
    `the plan yields ${outputCiphertexts} ciphertexts of level ${outputLevel} and scale ${formatScale(outputScale)}, got ` +
      `${ciphertexts.length}${found ? ` of ${found}` : ""}; run the plan again`,
  );
}

/**
 * A plan leaves its outputs a quarter of the modulus. Values that wrapped around fill all of it with their coefficients, and need not
 * show in imaginary parts, since a real message stays a real one modulo Q.
 */
const LARGEST_FILL = 0.5;
/**
 * A result whose imaginary parts exceed the planned error this many times is not returned. Slots that hold no output may carry more noise
 * than those that do, hence the room; a damaged ciphertext exceeds it by many orders of magnitude.
 */
const LOST_FACTOR = 1000;
