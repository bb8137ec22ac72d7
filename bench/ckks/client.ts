/** What a client does: encoding, encryption, decryption, and the sizes of what it sends. */

import { encryptPublic, type Plaintext, serializeCiphertexts } from "crcnn/ckks";
import { copyPolynomial, toCoefficients } from "crcnn/math";
import { decryptPhase, encryptSymmetric } from "crcnn/owner";
import { type EvaluationKeys, freeCiphertext, rotationElement, serializeEvaluationKeys } from "crcnn/rlwe";
import { type Case, requireNear } from "../measure.ts";
import { randomReals } from "../random.ts";
import type { SizeRow } from "../report.ts";
import type { Rival } from "../rival.ts";
import { bytesMoved } from "../traffic.ts";
import { type Party, readAndFree } from "./party.ts";

const SCALE = 2 ** 30;
const TOLERANCE = 1e-3;

export function clientCases(party: Party, rival: Rival, params: string): Case[] {
  const { context, secret, publicKey, encoder } = party;
  const { degree } = context.ring;
  const limbs = context.maxLevel + 1;
  const raised = limbs + context.alpha;
  const values = randomReals(encoder.slots, 3);
  const plaintext = encoder.encode(values, { scale: SCALE });
  const ciphertext = party.encrypt(values, SCALE);
  const rivalPlaintext = rival.emptyPlaintext();
  rival.encoder.encode(values, SCALE, rivalPlaintext);
  const rivalCiphertext = rival.encrypt(values, SCALE);
  const rivalResult = rival.emptyCiphertext();
  const scratch = rival.emptyPlaintext();

  /** As the rival's: from NTT values to slots. */
  const decode = ({ polynomial, scale }: Plaintext): Float64Array => {
    const message = toCoefficients(copyPolynomial(polynomial));
    const { real } = encoder.decode(message, scale);
    message.block.free();
    return real;
  };
  const requireValues = (who: string, slots: Float64Array): void => requireNear(who, slots, values, TOLERANCE);

  const common = { params, peer: rival.name };
  return [
    {
      ...common,
      name: "ckks/encode",
      ours: () => encoder.encode(values, { scale: SCALE }).polynomial.block.free(),
      theirs: () => rival.encoder.encode(values, SCALE, scratch),
      verify: () => {
        requireValues("ours", decode(encoder.encode(values, { scale: SCALE })));
        rival.encoder.encode(values, SCALE, scratch);
        requireValues("the peer's", rival.encoder.decode(scratch));
      },
      bytes: bytesMoved(degree, { transforms: limbs, products: 0, passes: limbs }),
    },
    {
      ...common,
      name: "ckks/decode",
      ours: () => decode(plaintext),
      theirs: () => rival.encoder.decode(rivalPlaintext),
      verify: () => {
        requireValues("ours", decode(plaintext));
        requireValues("the peer's", rival.encoder.decode(rivalPlaintext));
      },
      bytes: bytesMoved(degree, { transforms: limbs, products: 0, passes: 2 * limbs }),
    },
    {
      ...common,
      name: "ckks/encrypt-public",
      ours: () => freeCiphertext(encryptPublic(context, plaintext, publicKey)),
      theirs: () => rival.encryptor.encrypt(rivalPlaintext, rivalResult),
      verify: () => {
        requireValues("ours", readAndFree(party, encryptPublic(context, plaintext, publicKey)));
        rival.encryptor.encrypt(rivalPlaintext, rivalResult);
        requireValues("the peer's", rival.decryptSlots(rivalResult));
      },
      // A mask and two errors are transformed, two products divided by P: a transform of each special limb, one for each limb kept.
      bytes: bytesMoved(degree, { transforms: 5 * raised, products: 2 * raised, passes: 5 * raised + 7 * limbs }),
    },
    {
      ...common,
      name: "ckks/encrypt-symmetric",
      ours: () => freeCiphertext(encryptSymmetric(secret, plaintext)),
      theirs: () => rival.encryptor.encryptSymmetricSerializable(rivalPlaintext).delete(),
      verify: () => {
        requireValues("ours", readAndFree(party, encryptSymmetric(secret, plaintext)));
        const seeded = rival.encryptor.encryptSymmetricSerializable(rivalPlaintext);
        requireValues("the peer's", rival.decryptSlots(rival.load(seeded.saveArray())));
        seeded.delete();
      },
      bytes: bytesMoved(degree, { transforms: limbs, products: limbs, passes: 4 * limbs }),
    },
    {
      ...common,
      name: "ckks/decrypt-decode",
      ours: () => {
        const phase = decryptPhase(secret, ciphertext);
        encoder.decode(phase, SCALE);
        phase.block.free();
      },
      theirs: () => rival.decryptSlots(rivalCiphertext),
      verify: () => {
        requireValues("ours", party.decryptSlots(ciphertext));
        requireValues("the peer's", rival.decryptSlots(rivalCiphertext));
      },
      bytes: bytesMoved(degree, { transforms: limbs, products: limbs, passes: 2 * limbs }),
    },
  ];
}

/** Bytes on the wire, each side with its own way of making them small (seeds and packed bits; seeds and zstd). */
export function clientSizes(party: Party, rival: Rival, params: string): SizeRow[] {
  const { context, secret, publicKey, encoder, keys } = party;
  const values = randomReals(encoder.slots, 4);
  const plaintext = encoder.encode(values, { scale: SCALE });
  const rivalPlaintext = rival.emptyPlaintext();
  rival.encoder.encode(values, SCALE, rivalPlaintext);
  const element = rotationElement(context.ring.degree, 1);
  const oneRotation: EvaluationKeys = {
    relinearization: undefined,
    galois: new Map([...keys.galois].filter(([key]) => key === element)),
  };
  const relinearization: EvaluationKeys = { ...keys, galois: new Map() };
  const { encryptor, keyGenerator } = rival;
  const sizes = [
    {
      name: "ckks/ciphertext-public",
      ours: serializeCiphertexts(context, [encryptPublic(context, plaintext, publicKey)]),
      theirs: encryptor.encryptSerializable(rivalPlaintext).saveArray(),
    },
    {
      name: "ckks/ciphertext-symmetric",
      ours: serializeCiphertexts(context, [encryptSymmetric(secret, plaintext)]),
      theirs: encryptor.encryptSymmetricSerializable(rivalPlaintext).saveArray(),
    },
    {
      name: "ckks/rotation-key",
      ours: serializeEvaluationKeys(context, oneRotation),
      theirs: keyGenerator.createGaloisKeysSerializable(Int32Array.of(1)).saveArray(),
    },
    {
      name: "ckks/relinearization-key",
      ours: serializeEvaluationKeys(context, relinearization),
      theirs: keyGenerator.createRelinKeysSerializable().saveArray(),
    },
  ];
  return sizes.map(({ name, ours, theirs }) => ({
    name,
    params,
    bytes: ours.length,
    peer: rival.name,
    peerBytes: theirs.length,
    ratio: Number((theirs.length / ours.length).toPrecision(4)),
  }));
}
