/** The rival: Microsoft SEAL compiled to WebAssembly (`node-seal`), set up for CKKS. */

import seal from "node-seal";
import type { CipherText } from "node-seal/implementation/cipher-text.js";
import type { CKKSEncoder } from "node-seal/implementation/ckks-encoder.js";
import type { Context } from "node-seal/implementation/context.js";
import type { Encryptor } from "node-seal/implementation/encryptor.js";
import type { Evaluator } from "node-seal/implementation/evaluator.js";
import type { GaloisKeys } from "node-seal/implementation/galois-keys.js";
import type { KeyGenerator } from "node-seal/implementation/key-generator.js";
import type { PlainText } from "node-seal/implementation/plain-text.js";
import type { RelinKeys } from "node-seal/implementation/relin-keys.js";
import type { SEALLibrary } from "node-seal/implementation/seal.js";

export type { CipherText };

export interface Rival {
  readonly name: string;
  readonly context: Context;
  readonly encoder: CKKSEncoder;
  readonly encryptor: Encryptor;
  readonly evaluator: Evaluator;
  readonly keyGenerator: KeyGenerator;
  readonly galoisKeys: GaloisKeys;
  readonly relinearizationKeys: RelinKeys;
  /** Empty objects to write results into: its fastest way, since nothing is allocated then. */
  emptyCiphertext(): CipherText;
  emptyPlaintext(): PlainText;
  encrypt(values: Float64Array, scale: number): CipherText;
  /** A seeded ciphertext's bytes, read back. */
  load(bytes: Uint8Array): CipherText;
  decrypt(ciphertext: CipherText): PlainText;
  /** Real slots. */
  decryptSlots(ciphertext: CipherText): Float64Array;
}

export interface RivalParameters {
  readonly ringDegree: number;
  /** Bits of each prime; the last is the special one. */
  readonly chain: readonly number[];
  readonly steps: readonly number[];
}

// Its types describe the ES module for browsers; Node gets the UMD one, whose only export is the function itself.
const load = seal as unknown as () => Promise<SEALLibrary>;
let library: Promise<SEALLibrary> | undefined;

/** The library, loaded once. */
export function loadSeal(): Promise<SEALLibrary> {
  library ??= load();
  return library;
}

/** Makes a rival with keys for relinearization and the given rotations. @throws Error for a chain that is not 128-bit secure. */
export async function createRival({ ringDegree, chain, steps }: RivalParameters): Promise<Rival> {
  const { EncryptionParameters, SchemeType, CoeffModulus, Context, SecurityLevel, ...make } = await loadSeal();
  const parameters = EncryptionParameters(SchemeType.ckks);
  parameters.setPolyModulusDegree(ringDegree);
  parameters.setCoeffModulus(CoeffModulus.Create(ringDegree, Int32Array.from(chain)));
  const context = Context(parameters, true, SecurityLevel.tc128);
  if (!context.parametersSet()) throw new Error(`node-seal refuses the chain ${chain.join(", ")} at N = ${ringDegree}`);
  const keyGenerator = make.KeyGenerator(context);
  const secretKey = keyGenerator.secretKey();
  const encoder = make.CKKSEncoder(context);
  const encryptor = make.Encryptor(context, keyGenerator.createPublicKey(), secretKey);
  const decryptor = make.Decryptor(context, secretKey);
  const rival: Rival = {
    name: `node-seal ${make.Version}, chain ${abbreviate(chain)}`,
    context,
    encoder,
    encryptor,
    evaluator: make.Evaluator(context),
    keyGenerator,
    galoisKeys: keyGenerator.createGaloisKeys(Int32Array.from(steps)),
    relinearizationKeys: keyGenerator.createRelinKeys(),
    emptyCiphertext: () => make.CipherText(),
    emptyPlaintext: () => make.PlainText(),
    encrypt(values, scale) {
      const plaintext = rival.emptyPlaintext();
      encoder.encode(values, scale, plaintext);
      const ciphertext = rival.emptyCiphertext();
      encryptor.encrypt(plaintext, ciphertext);
      return ciphertext;
    },
    load(bytes) {
      const ciphertext = rival.emptyCiphertext();
      ciphertext.loadArray(context, bytes);
      return ciphertext;
    },
    decrypt(ciphertext) {
      const plaintext = rival.emptyPlaintext();
      decryptor.decrypt(ciphertext, plaintext);
      return plaintext;
    },
    decryptSlots: (ciphertext) => encoder.decode(rival.decrypt(ciphertext)),
  };
  return rival;
}

/** `31, 26 x 6, 31`. */
export function abbreviate(chain: readonly number[]): string {
  const runs: { bits: number; count: number }[] = [];
  for (const bits of chain) {
    const last = runs.at(-1);
    if (last?.bits === bits) last.count++;
    else runs.push({ bits, count: 1 });
  }
  return runs.map(({ bits, count }) => (count > 1 ? `${bits} x ${count}` : `${bits}`)).join(", ");
}
