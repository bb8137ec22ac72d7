import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createBatchEncoder, createFractionalEncoder, createIntegerEncoder } from "../../src/bfv/index.ts";
import { divideRound, mod, modCentred } from "../../src/math/bigint-ntt.ts";
import { createEngine } from "../../src/math/index.ts";
import { createOwner, createSecretKey, decryptBfv, decryptPhase, noiseBudget } from "../../src/owner/index.ts";
import { freeCiphertext } from "../../src/rlwe/index.ts";
import { bfvParameters, createBfvParty, randomResidues } from "../bfv/support.ts";
import { randomBigints, seededRandom } from "../helpers/random.ts";
import { nttFromBigints, productOf, toBigints } from "../helpers/ring.ts";
import { expectRefusal, heapHolds } from "../helpers/rlwe.ts";

const SHAPES = [
  { data: [30], special: [], plain: 14 },
  { data: [30, 22, 27], special: [30], plain: 17 },
  { data: [28, 29, 30, 30, 30], special: [30], plain: 1_000_000_000 },
];

describe.each(SHAPES)("decryption with $data bits", (shape) => {
  const party = createBfvParty(shape);
  const { context, secret } = party;
  const { ring, plainModulus } = context;
  const t = BigInt(plainModulus);
  const basis = context.dataBasis(context.maxLevel);
  const q = productOf(ring, basis);

  /** A ciphertext with this phase. */
  const withPhase = (phase: readonly bigint[]) => ({
    context,
    level: context.maxLevel,
    components: [
      nttFromBigints(ring, basis, phase),
      nttFromBigints(
        ring,
        basis,
        phase.map(() => 0n),
      ),
    ],
  });

  test("rounds t/Q times the phase, as far as noise may go", () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(0.5, 0.9, 0.96), (seed, part) => {
        const random = seededRandom(seed);
        const messages = randomResidues(party, random);
        const room = (q * BigInt(Math.floor(part * 1000))) / (2000n * t);
        const noises = randomBigints(ring.degree, 2n * room, random).map((noise) => noise - room);
        const phase = noises.map((noise, i) => mod(divideRound(q * BigInt(messages[i]!), t) + noise, q));
        const ciphertext = withPhase(phase);
        expect(decryptBfv(secret, ciphertext)).toEqual({ coefficients: messages, plainModulus });
        const largest = phase
          .map((x) => modCentred(t * x, q))
          .reduce((max, x) => (x > max ? x : -x > max ? -x : max), 0n);
        const budget = Math.log2(Number((q * 2n ** 60n) / (2n * largest)) / 2 ** 60);
        expect(noiseBudget(secret, ciphertext)).toBeCloseTo(budget < 0.05 ? 0 : budget, 9);
        freeCiphertext(ciphertext);
      }),
      { numRuns: 10 },
    );
  });

  test("is refused where no budget is left, instead of giving wrong values", () => {
    const uniform = withPhase(randomBigints(ring.degree, q, seededRandom(5)));
    expect(noiseBudget(secret, uniform)).toBe(0);
    expectRefusal(() => decryptBfv(secret, uniform), "PRECISION_LOST", /noise budget is used up/);
  });

  test("of nothing but a message has the whole modulus as budget", () => {
    const exact = withPhase(new Array(ring.degree).fill(0n));
    expect(noiseBudget(secret, exact)).toBeCloseTo(Math.log2(Number(q / 2n ** 10n)) + 10 - 1, 6);
  });

  test("leaves no word of the phase in the heap", () => {
    const ciphertext = party.encrypt(randomResidues(party, party.random));
    const phase = decryptPhase(secret, ciphertext);
    const limb = ring.heap.words.slice(phase.block.offset, phase.block.offset + ring.degree);
    ring.heap.words.fill(0, phase.block.offset, phase.block.offset + phase.block.length);
    phase.block.free();
    decryptBfv(secret, ciphertext);
    noiseBudget(secret, ciphertext);
    expect(toBigints(ciphertext.components[0]!)).toHaveLength(ring.degree);
    expect(heapHolds(ring, limb)).toBe(false);
  });
});

describe("a BFV owner", () => {
  const parameters = bfvParameters({ data: [30, 30, 30, 30], special: [30], plain: 17 });
  const make = (options = {}) => createOwner({ scheme: "bfv", parameters }, { random: seededRandom(3), ...options });

  test("keeps a tensor's shape through encryption, evaluation and decryption, with every encoder", async () => {
    const owner = await make();
    const { context, evaluator } = owner;
    owner.addKeys({ relinearization: true });
    const data = Float64Array.from({ length: 12 }, (_, i) => i - 5);
    for (const encoder of [
      createBatchEncoder(context),
      createFractionalEncoder(context),
      createIntegerEncoder(context),
    ]) {
      const tensor = owner.encryptTensor(encoder, { shape: [2, 2, 3], data });
      expect(tensor.ciphertexts).toHaveLength(encoder.capacity === 1 ? 12 : 1);
      const squares = tensor.ciphertexts.map((each) => evaluator.multiplyRelinearize(each, each));
      expect(owner.decryptTensor(encoder, { ...tensor, ciphertexts: squares })).toEqual({
        shape: [2, 2, 3],
        data: data.map((value) => value * value),
      });
    }
    owner.destroy();
  });

  test("refreshes: the full budget again, and digits of their fresh lengths where an encoder is given", async () => {
    const owner = await make();
    const { evaluator, context } = owner;
    const encoder = createFractionalEncoder(context);
    const [x] = owner.encryptTensor(encoder, { shape: [1], data: [2.75] }).ciphertexts;
    const square = evaluator.square(x!);
    const worn = { shape: [1], ciphertexts: [square] };
    const fresh = owner.noiseBudget(x!);
    expect(owner.noiseBudget(square)).toBeLessThan(fresh - 10);
    const same = owner.refresh(worn);
    const shortened = owner.refresh(worn, encoder);
    for (const each of [same, shortened]) {
      expect(owner.noiseBudget(each.ciphertexts[0]!)).toBeGreaterThan(fresh - 1);
      expect(owner.decryptTensor(encoder, each).data[0]).toBe(2.75 ** 2);
    }
    expect(owner.decrypt(same.ciphertexts[0]!)).toEqual(owner.decrypt(square));
    expect(owner.decrypt(shortened.ciphertexts[0]!)).toEqual(encoder.encodeNumber(2.75 ** 2));
    owner.destroy();
  });

  test("makes keys when asked, each once, and again only for a higher level", async () => {
    const owner = await make();
    owner.addKeys({ rows: [1, 2, 0, 512, 1], columns: true, relinearization: true, level: 1 });
    expect(owner.evaluationKeys.galois.size).toBe(3);
    expect(owner.evaluationKeys.relinearization?.level).toBe(1);
    const [first] = [...owner.evaluationKeys.galois.values()];
    owner.addKeys({ rows: [1], level: 1 });
    expect([...owner.evaluationKeys.galois.values()][0]).toBe(first);
    owner.addKeys({ rows: [1] });
    expect([...owner.evaluationKeys.galois.values()][0]?.level).toBe(3);
    expect(owner.publicKey()).toBe(owner.publicKey());
    owner.destroy();
    expect(owner.evaluationKeys.galois.size).toBe(0);
    expect(() =>
      owner.decrypt(owner.encrypt({ coefficients: new Int32Array(1024), plainModulus: parameters.plainModulus })),
    ).toThrow(TypeError);
  });

  test("with threads of its own stops them, also where parameters are refused", async () => {
    const owner = await make({ threads: 2 });
    expect(owner.context.engine.threads).toBe(2);
    owner.destroy();
    const engine = createEngine();
    const insecure = { ...parameters, security: 128 } as const;
    await expect(createOwner({ scheme: "bfv", parameters: insecure }, { threads: 2 })).rejects.toMatchObject({
      code: "INSECURE_PARAMETERS",
    });
    await expect(createOwner({ scheme: "bfv", parameters: insecure }, { engine })).rejects.toThrow();
    expect(engine.heap.usage().used).toBe(0);
    await expect(make({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  });

  test("draws a key of the context's own kind", () => {
    const { context } = createBfvParty(SHAPES[1]!);
    expect(createSecretKey(context).context.plainModulus).toBe(context.plainModulus);
  });
});
