import { describe, expect, test } from "vitest";
import {
  type BfvCiphertext,
  createBfvContext,
  deserializeBfvCiphertexts,
  serializeBfvCiphertexts,
} from "../../src/bfv/index.ts";
import { freeCiphertext } from "../../src/rlwe/index.ts";
import { expectRefusal, wordsOf } from "../helpers/rlwe.ts";
import { bfvParameters, createBfvParty, randomResidues } from "./support.ts";

const SHAPE = { data: [30, 27, 26], special: [30] };
const party = createBfvParty(SHAPE);
const { context, evaluator, random } = party;
const message = randomResidues(party, random);
const symmetric = party.encrypt(message);
const fromPublic = party.encryptPublic(message);
const words = ({ components }: BfvCiphertext): Int32Array[] => components.map(wordsOf);

/** Where the first ciphertext's level, number of components and seed mark stand: behind the header and the count. */
const LEVEL = 14 + 2;
const changed = (bytes: Uint8Array, index: number, value: number): Uint8Array => {
  const copy = bytes.slice();
  copy[index] = value;
  return copy;
};

describe("ciphertexts on the wire", () => {
  test("come back as they were: seeded ones in half the bytes, at any level, with as many components as are expected", () => {
    const product = evaluator.toNtt(evaluator.multiply(symmetric, fromPublic));
    const lower = evaluator.switchModulus(fromPublic);
    const sent = [symmetric, fromPublic, product, lower];
    const read = deserializeBfvCiphertexts(context, serializeBfvCiphertexts(context, sent), {
      ciphertexts: 4,
      components: 3,
    });
    expect(read.map(words)).toEqual(sent.map(words));
    expect(read.map(({ level }) => level)).toEqual([2, 2, 2, 1]);
    expect([...read[0]!.seed!]).toEqual([...symmetric.seed!]);
    expect(party.decrypt(read[0]!)).toEqual(message);
    const bytes = (ciphertext: BfvCiphertext<"ntt">): number => serializeBfvCiphertexts(context, [ciphertext]).length;
    expect(bytes(symmetric)).toBeLessThan(0.51 * bytes(fromPublic));
    read.forEach(freeCiphertext);
  });

  test("that are damaged, too many or for other parameters are refused, and no memory stays reserved", () => {
    const bytes = serializeBfvCiphertexts(context, [fromPublic, symmetric]);
    const { used } = context.ring.heap.usage();
    const read =
      (from: Uint8Array, limits = { ciphertexts: 2 }, on = context) =>
      () =>
        deserializeBfvCiphertexts(on, from, limits);
    expectRefusal(read(bytes, { ciphertexts: 1 }), "INVALID_MESSAGE", /holds 2 ciphertexts, at most 1/);
    expectRefusal(read(changed(bytes, LEVEL, 3)), "INVALID_MESSAGE", /level 3 was sent, the chain ends at level 2/);
    for (const components of [0, 1, 3, 255]) {
      expectRefusal(
        read(changed(bytes, LEVEL + 1, components)),
        "INVALID_MESSAGE",
        `${components} components`,
        /at most 2/,
      );
    }
    expectRefusal(read(changed(bytes, LEVEL + 2, 2)), "INVALID_MESSAGE", /seeded: 2/);
    expectRefusal(read(bytes.slice().fill(255, LEVEL + 3, LEVEL + 64)), "INVALID_MESSAGE", /residue/);
    expectRefusal(read(bytes.subarray(0, bytes.length - 1)), "INVALID_MESSAGE", /cut off/);
    expectRefusal(read(new Uint8Array([...bytes, 0])), "INVALID_MESSAGE", /1 bytes are left over/);
    const otherModulus = createBfvContext({ ...bfvParameters(SHAPE), plainModulus: 12_289 });
    expectRefusal(read(bytes, { ciphertexts: 2 }, otherModulus), "FOREIGN_OBJECT", /other encryption parameters/);
    expect(context.ring.heap.usage().used).toBe(used);
  });

  test("a product that was not converted is not sent", () => {
    const product = evaluator.multiply(symmetric, symmetric) as BfvCiphertext as BfvCiphertext<"ntt">;
    expectRefusal(
      () => serializeBfvCiphertexts(context, [product]),
      "DOMAIN_MISMATCH",
      /serializeBfvCiphertexts .* convert it with toNtt/,
    );
  });
});
