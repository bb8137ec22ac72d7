/** The rival, Microsoft SEAL compiled to WebAssembly (`node-seal`), set up for BFV. */

import type { BatchEncoder } from "node-seal/implementation/batch-encoder.js";
import type { CipherText } from "node-seal/implementation/cipher-text.js";
import type { Encryptor } from "node-seal/implementation/encryptor.js";
import type { Evaluator } from "node-seal/implementation/evaluator.js";
import type { GaloisKeys } from "node-seal/implementation/galois-keys.js";
import type { PlainText } from "node-seal/implementation/plain-text.js";
import type { RelinKeys } from "node-seal/implementation/relin-keys.js";
import { abbreviate, loadSeal } from "../rival.ts";

export interface BfvRival {
  readonly name: string;
  readonly encoder: BatchEncoder;
  readonly encryptor: Encryptor;
  readonly evaluator: Evaluator;
  readonly galoisKeys: GaloisKeys;
  readonly relinearizationKeys: RelinKeys;
  /** Empty objects to write results into: its fastest way, since nothing is allocated then. */
  emptyCiphertext(): CipherText;
  emptyPlaintext(): PlainText;
  encode(slots: Int32Array): PlainText;
  encrypt(slots: Int32Array): CipherText;
  /** A seeded ciphertext's bytes, read back. */
  load(bytes: Uint8Array): CipherText;
  decrypt(ciphertext: CipherText, plaintext: PlainText): void;
  /** Slots in [0, t). */
  decryptSlots(ciphertext: CipherText): ArrayLike<number>;
}

export interface BfvRivalParameters {
  readonly ringDegree: number;
  /** Bits of each prime; the last is the special one. */
  readonly chain: readonly number[];
  readonly plainModulus: number;
  readonly steps: readonly number[];
}

/** Makes a rival with keys for relinearization and the given row rotations. @throws Error for a chain that is not 128-bit secure. */
export async function createBfvRival({
  ringDegree,
  chain,
  plainModulus,
  steps,
}: BfvRivalParameters): Promise<BfvRival> {
  const { EncryptionParameters, SchemeType, CoeffModulus, Context, SecurityLevel, Modulus, ...make } = await loadSeal();
  const parameters = EncryptionParameters(SchemeType.bfv);
  parameters.setPolyModulusDegree(ringDegree);
  parameters.setCoeffModulus(CoeffModulus.Create(ringDegree, Int32Array.from(chain)));
  parameters.setPlainModulus(Modulus(BigInt(plainModulus)));
  const context = Context(parameters, true, SecurityLevel.tc128);
  if (!context.parametersSet()) throw new Error(`node-seal refuses the chain ${chain.join(", ")} at N = ${ringDegree}`);
  const keyGenerator = make.KeyGenerator(context);
  const secretKey = keyGenerator.secretKey();
  const encoder = make.BatchEncoder(context);
  const encryptor = make.Encryptor(context, keyGenerator.createPublicKey(), secretKey);
  const decryptor = make.Decryptor(context, secretKey);
  const rival: BfvRival = {
    name: `node-seal ${make.Version}, chain ${abbreviate(chain)}`,
    encoder,
    encryptor,
    evaluator: make.Evaluator(context),
    galoisKeys: keyGenerator.createGaloisKeys(Int32Array.from(steps)),
    relinearizationKeys: keyGenerator.createRelinKeys(),
    emptyCiphertext: () => make.CipherText(),
    emptyPlaintext: () => make.PlainText(),
    encode(slots) {
      const plaintext = rival.emptyPlaintext();
      encoder.encode(slots, plaintext);
      return plaintext;
    },
    encrypt(slots) {
      const ciphertext = rival.emptyCiphertext();
      encryptor.encrypt(rival.encode(slots), ciphertext);
      return ciphertext;
    },
    load(bytes) {
      const ciphertext = rival.emptyCiphertext();
      ciphertext.loadArray(context, bytes);
      return ciphertext;
    },
    decrypt: (ciphertext, plaintext) => decryptor.decrypt(ciphertext, plaintext),
    decryptSlots(ciphertext) {
      const plaintext = rival.emptyPlaintext();
      rival.decrypt(ciphertext, plaintext);
      return encoder.decode(plaintext, false);
    },
  };
  return rival;
}
