import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chooseSeedParameters, createFractionalEncoder, type FractionalEncoder } from "../../src/bfv/index.ts";
import { readLimb } from "../../src/math/index.ts";
import { type BfvOwner, createOwner } from "../../src/owner/index.ts";
import {
  type CiphertextTensor,
  ciphertextCharacters,
  decodeCiphertexts,
  encodeBase64,
  encodeCiphertexts,
  flatten,
  type NestedStrings,
} from "../../src/protocol/index.ts";
import { deserializePublicKey, freeCiphertext, freePublicKey, serializePublicKey } from "../../src/rlwe/index.ts";
import { seededRandom } from "../helpers/random.ts";

const LIMITS = { elements: 100, axes: 4 };
const { parameters } = chooseSeedParameters({ m: 2048, p: 13513511, sec: 128, base: 2 });
const values = { shape: [1, 2, 3], data: Float64Array.of(0, 0.5, -3.25, 255, 1e-3, 7) };
let owner: BfvOwner;
let encoder: FractionalEncoder;
let data: NestedStrings;

beforeAll(async () => {
  owner = await createOwner({ scheme: "bfv", parameters }, { random: seededRandom(3) });
  encoder = createFractionalEncoder(owner.context);
  const ciphertexts = Array.from(values.data, (value) => owner.encrypt(encoder.encodeNumber(value)));
  data = encodeCiphertexts(owner.context, { shape: values.shape, ciphertexts });
  ciphertexts.forEach(freeCiphertext);
});
afterAll(() => owner.destroy());

const readTensor = (nested: unknown): CiphertextTensor =>
  decodeCiphertexts(owner.context, flatten(nested, "data", LIMITS), "data", 2);

describe("encrypted tensors in JSON, under PyCrCNN's parameters", () => {
  test("keep their shape and values", () => {
    const tensor = readTensor(JSON.parse(JSON.stringify(data)));
    expect(tensor.shape).toEqual(values.shape);
    const { data: found } = owner.decryptTensor(encoder, tensor);
    for (const [i, value] of values.data.entries()) expect(Math.abs(found[i]! - value)).toBeLessThanOrEqual(2 ** -33);
    tensor.ciphertexts.forEach(freeCiphertext);
  });

  test("take at most the stated characters: half of them while a seed stands for one component", () => {
    const one = (data as string[][][])[0]![0]![0]!;
    expect(ciphertextCharacters(parameters, 2)).toBe(4 * Math.ceil((14 + 5 + 2 * ((2048 * 53) / 8)) / 3));
    expect(ciphertextCharacters(parameters, "seeded")).toBe(4 * Math.ceil((14 + 5 + 32 + (2048 * 53) / 8) / 3));
    expect(one.length).toBe(ciphertextCharacters(parameters, "seeded"));
    const ciphertext = owner.encrypt(encoder.encodeNumber(1));
    const { seed: _, ...unseeded } = ciphertext;
    const whole = encodeCiphertexts(owner.context, { shape: [1], ciphertexts: [unseeded] }) as string[];
    expect(whole[0]!.length).toBe(ciphertextCharacters(parameters, 2));
    freeCiphertext(ciphertext);
  });

  test.each<[string, (whole: string) => unknown, RegExp, string]>([
    [
      "a longer string",
      (whole) => [whole.repeat(3)],
      /element 0 of data has 54480 characters, .* has 18160 or 36208$/,
      "INVALID_MESSAGE",
    ],
    ["no base64", (whole) => [whole, `!${whole.slice(1)}`], /element 1 of data must be base64/, "INVALID_MESSAGE"],
    ["a message cut off", (whole) => [whole, whole.slice(4)], /element 1 of data has 18156/, "INVALID_MESSAGE"],
    ["nothing in it", () => [""], /element 0 of data has 0 characters/, "INVALID_MESSAGE"],
    [
      "another kind of message",
      (whole) => [whole, "A".repeat(whole.length)],
      /element 1 of data: these/,
      "INVALID_MESSAGE",
    ],
    [
      "an end that is missing",
      (whole) => [`${whole.slice(0, -4)}AA==`],
      /element 0 of data: the mess/,
      "INVALID_MESSAGE",
    ],
    ["more than there may be", (whole) => new Array(101).fill(whole), /at most 100/, "LIMIT_EXCEEDED"],
  ])("%s is refused, and no memory stays reserved", (_, change, reason, code) => {
    const { heap } = owner.context.ring;
    const before = heap.usage().used;
    const changed = change((data as string[][][])[0]![0]![0]!);
    const read = (): unknown => readTensor(changed);
    expect(read).toThrowError(reason);
    expect(read).toThrowError(expect.objectContaining({ code }));
    expect(heap.usage().used).toBe(before);
  });
});

describe("a public key on the wire", () => {
  test("comes back as it was, its uniform half from a seed", () => {
    const key = owner.publicKey();
    const bytes = serializePublicKey(owner.context, key);
    expect(bytes.length).toBe(14 + 32 + (2048 * 53) / 8);
    const read = deserializePublicKey(owner.context, bytes);
    for (const half of ["a", "b"] as const) {
      for (const k of [0, 1]) expect(readLimb(read[half], k)).toEqual(readLimb(key[half], k));
    }
    freePublicKey(read);
  });

  test("is refused when it is cut off, too long or something else, and no memory stays reserved", () => {
    const bytes = serializePublicKey(owner.context, owner.publicKey());
    const { heap } = owner.context.ring;
    const before = heap.usage().used;
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    const other = bytes.slice();
    other[5] = 1;
    for (const wrong of [bytes.subarray(0, -1), longer, other]) {
      expect(() => deserializePublicKey(owner.context, wrong)).toThrowError(
        expect.objectContaining({ code: "INVALID_MESSAGE" }),
      );
    }
    expect(heap.usage().used).toBe(before);
    expect(encodeBase64(bytes).length).toBeLessThan(20_000);
  });
});
