import { describe, expect, test } from "vitest";
import { createCkksEvaluator } from "../../src/ckks/index.ts";
import { generateGaloisKey, generateRelinearizationKey } from "../../src/owner/index.ts";
import { createRlweContext, rotationElement } from "../../src/rlwe/index.ts";
import { createParty, createTestContext, expectRefusal } from "../helpers/rlwe.ts";
import { createBench, fromSeed, randomSlots } from "./support.ts";

const party = createParty({ data: [30, 28, 28], special: [30] });
const { context, secret, random } = party;
const bench = createBench(party);
/** Keys that end at level 1. */
const keys = {
  relinearization: generateRelinearizationKey(secret, 1, random),
  galois: new Map([[rotationElement(1024, 1), generateGaloisKey(secret, 3, 1, random)]]),
};
const evaluator = createCkksEvaluator(context, keys);
const SCALE = 2 ** 26;
const encrypt = (options: { scale?: number; level?: number } = {}) =>
  bench.encrypt(randomSlots(8, fromSeed(1)), { scale: SCALE, ...options }).ciphertext;
const encode = (options: { scale?: number; level?: number } = {}) =>
  bench.encoder.encode([1], { scale: SCALE, ...options });

const top = encrypt();
const middle = encrypt({ level: 1 });
const bottom = encrypt({ level: 0 });
const three = evaluator.multiply(top, top);

describe("SCALE_MISMATCH", () => {
  const other = encrypt({ scale: 2 ** 20 });
  test.each([
    ["add", () => evaluator.add(top, other)],
    ["subtract", () => evaluator.subtract(top, other)],
    ["addPlain", () => evaluator.addPlain(top, encode({ scale: 2 ** 20 }))],
  ])("%s names both scales and two remedies", (operation, action) => {
    expectRefusal(
      action,
      "SCALE_MISMATCH",
      `${operation}: `,
      "2^26.00 and 2^20.00",
      "rescale both alike, or multiply one",
    );
  });

  test("weightedSum compares the products' scales", () => {
    const terms = [
      { ciphertext: top, plaintext: encode({ scale: 2 ** 10 }) },
      { ciphertext: other, plaintext: encode({ scale: 2 ** 10 }) },
    ];
    expectRefusal(() => evaluator.weightedSum(terms), "SCALE_MISMATCH", "weightedSum: ", "2^36.00 and 2^30.00");
    evaluator.weightedSum([terms[0]!, { ciphertext: other, plaintext: encode({ scale: 2 ** 16 }) }]);
  });
});

describe("LEVEL_MISMATCH", () => {
  const plaintext = encode();
  test.each([
    ["add", () => evaluator.add(top, middle)],
    ["subtract", () => evaluator.subtract(top, middle)],
    ["multiply", () => evaluator.multiply(top, middle)],
    [
      "weightedSum",
      () =>
        evaluator.weightedSum([
          { ciphertext: top, plaintext },
          { ciphertext: middle, plaintext },
        ]),
    ],
  ])("%s names both levels and says where to drop to", (operation, action) => {
    expectRefusal(action, "LEVEL_MISMATCH", `${operation}: `, "levels 2 and 1", "level 1 with dropLevel");
  });

  test.each([
    ["addPlain", () => evaluator.addPlain(top, encode({ level: 1 }))],
    ["multiplyPlain", () => evaluator.multiplyPlain(top, encode({ level: 1 }))],
    ["weightedSum", () => evaluator.weightedSum([{ ciphertext: top, plaintext: encode({ level: 1 }) }])],
  ])("%s says where to encode the plaintext", (operation, action) => {
    expectRefusal(
      action,
      "LEVEL_MISMATCH",
      `${operation}: `,
      "plaintext is at level 1, the ciphertext at level 2",
      /encode .* level 2/,
    );
  });
});

describe("LEVEL_EXHAUSTED", () => {
  test("names the level, the scale and two ways out", () => {
    expectRefusal(
      () => evaluator.rescale(bottom),
      "LEVEL_EXHAUSTED",
      "level 0",
      "scale 2^26.00",
      "longer chain",
      "refresh",
    );
  });
});

describe("COMPONENT_COUNT", () => {
  test.each([
    ["multiply", () => evaluator.multiply(three, top)],
    ["multiply", () => evaluator.multiply(top, three)],
    ["rotate", () => evaluator.rotate(three, 1)],
    ["rotateHoisted", () => evaluator.rotateHoisted(three, [1])],
    ["raised.rotate", () => evaluator.raised.rotate(three, [1])],
    ["raised.raise", () => evaluator.raised.raise(three)],
    ["conjugate", () => evaluator.conjugate(three)],
    ["weightedSum", () => evaluator.weightedSum([{ ciphertext: three, plaintext: encode() }])],
  ])("%s takes two components", (operation, action) => {
    expectRefusal(
      action,
      "COMPONENT_COUNT",
      `${operation} takes ciphertexts of 2 components, got one of 3; relinearize it first`,
    );
  });

  test("relinearize takes three", () => {
    expectRefusal(() => evaluator.relinearize(middle), "COMPONENT_COUNT", "relinearize", "3 components, got one of 2");
    const four = { ...three, components: [...three.components, three.components[0]!] };
    expectRefusal(() => evaluator.relinearize(four), "COMPONENT_COUNT", "got one of 4; relinearize after each product");
  });
});

describe("MISSING_KEY", () => {
  test.each([
    ["a rotation by 2 slots", () => evaluator.rotate(middle, 2)],
    ["a rotation by -1 slots", () => evaluator.rotateHoisted(middle, [1, -1])],
    ["a rotation by 5 slots", () => evaluator.raised.rotate(middle, [0, 5])],
    ["conjugation", () => evaluator.conjugate(middle)],
    [
      "relinearization",
      () =>
        createCkksEvaluator(context, { ...keys, relinearization: undefined }).relinearize(
          evaluator.multiply(middle, middle),
        ),
    ],
  ])("names %s, the level and who makes the key", (name, action) => {
    expectRefusal(
      action,
      "MISSING_KEY",
      `the key for ${name} at level 1 was not supplied`,
      "let the key's owner make it",
    );
  });

  test("tells a key that ends below from none", () => {
    expectRefusal(
      () => evaluator.rotate(top, 1),
      "MISSING_KEY",
      "a rotation by 1 slots at level 2 reaches only level 1",
    );
    expectRefusal(() => evaluator.relinearize(three), "MISSING_KEY", "relinearization at level 2 reaches only level 1");
    evaluator.rotate(middle, 1);
    evaluator.rotate(bottom, 1);
  });

  test("is not needed for no rotation at all", () => {
    const keyless = createCkksEvaluator(context, { relinearization: undefined, galois: new Map() });
    expect(bench.decrypt(keyless.rotate(top, 512))).toEqual(bench.decrypt(top));
  });
});

describe("FOREIGN_OBJECT", () => {
  const elsewhere = createTestContext({ data: [29, 28], special: [30] });
  const twin = createRlweContext(context.parameters);

  test.each([
    ["of other parameters", elsewhere],
    ["of equal parameters, but another memory", twin],
  ])("every operation refuses a ciphertext %s", (_, other) => {
    const foreign = { ...top, context: other };
    const plaintext = encode();
    const actions: Record<string, () => unknown> = {
      add: () => evaluator.add(top, foreign),
      subtract: () => evaluator.subtract(foreign, top),
      negate: () => evaluator.negate(foreign),
      addPlain: () => evaluator.addPlain(foreign, plaintext),
      multiplyPlain: () => evaluator.multiplyPlain(foreign, plaintext),
      weightedSum: () => evaluator.weightedSum([{ ciphertext: foreign, plaintext }]),
      multiply: () => evaluator.multiply(top, foreign),
      relinearize: () => evaluator.relinearize({ ...three, context: other }),
      rescale: () => evaluator.rescale(foreign),
      dropLevel: () => evaluator.dropLevel(foreign, 0),
      rotate: () => evaluator.rotate(foreign, 1),
      rotateHoisted: () => evaluator.rotateHoisted(foreign, [1]),
      "raised.rotate": () => evaluator.raised.rotate(foreign, [1]),
      "raised.raise": () => evaluator.raised.raise(foreign),
      "raised.relinearize": () => evaluator.raised.relinearize({ ...three, context: other }),
      conjugate: () => evaluator.conjugate(foreign),
    };
    for (const [operation, action] of Object.entries(actions)) {
      expectRefusal(action, "FOREIGN_OBJECT", `${operation}: `, other.id, context.id, "use an evaluator made from");
    }
  });

  test("plaintexts of other parameters are refused", () => {
    const plaintext = createBench(createParty(twin)).encoder.encode([1], { scale: SCALE });
    for (const operation of ["addPlain", "multiplyPlain"] as const) {
      expectRefusal(() => evaluator[operation](top, plaintext), "FOREIGN_OBJECT", `${operation}: `, "encode it again");
    }
  });
});

describe("SCALE_OVERFLOW", () => {
  test.each([
    ["multiply", () => evaluator.multiply(bottom, bottom)],
    ["multiplyPlain", () => evaluator.multiplyPlain(bottom, encode({ level: 0 }))],
    ["weightedSum", () => evaluator.weightedSum([{ ciphertext: bottom, plaintext: encode({ level: 0 }) }])],
  ])("%s names the product's scale, the modulus and two remedies", (operation, action) => {
    expectRefusal(
      action,
      "SCALE_OVERFLOW",
      `${operation}: `,
      "2^52.00",
      "30.0 bits of level 0",
      "rescale",
      "longer chain",
    );
  });
});

describe("raised ciphertexts", () => {
  const keyless = createCkksEvaluator(context, { relinearization: undefined, galois: new Map() });
  const raise = (ciphertext: typeof top) => keyless.raised.raise(ciphertext);
  const raised = (options: { scale?: number; level?: number }) =>
    bench.encoder.encode([1], { scale: 2 ** 10, raised: true, ...options });
  const sum =
    (...terms: [ReturnType<typeof raise>, ReturnType<typeof raised>][]) =>
    () =>
      evaluator.raised.weightedSum(terms.map(([ciphertext, plaintext]) => ({ ciphertext, plaintext })));

  test("takes terms of one level, raised, and of one scale", () => {
    sum([raise(middle), raised({ level: 1 })])();
    const mixed = [
      sum([raise(middle), raised({ level: 2 })]),
      sum([raise(middle), raised({ level: 0 })]),
      sum([raise(top), raised({ level: 2 })], [raise(middle), raised({ level: 1 })]),
    ];
    for (const action of mixed) expectRefusal(action, "LEVEL_MISMATCH", /level 1,.*raised.*raised: true/);
    const plain = encode({ scale: 2 ** 10, level: 1 });
    expectRefusal(
      sum([raise(middle), plain]),
      "LEVEL_MISMATCH",
      "at level 1 and not raised",
      "{ level: 1, raised: true }",
    );
    expectRefusal(
      sum([raise(middle), raised({ level: 1 })], [raise(middle), raised({ level: 1, scale: 2 ** 11 })]),
      "SCALE_MISMATCH",
      "2^36.00 and 2^37.00",
    );
    expectRefusal(sum([raise(bottom), raised({ level: 0 })]), "SCALE_OVERFLOW", "2^36.00", "30.0 bits of level 0");
  });

  test("refuses what belongs to other parameters", () => {
    const other = createParty({ data: [30, 28], special: [30] });
    const foreign = createBench(other);
    const theirs = createCkksEvaluator(other.context, { relinearization: undefined, galois: new Map() });
    const ciphertext = theirs.raised.raise(foreign.encrypt(randomSlots(8, fromSeed(1)), { scale: SCALE }).ciphertext);
    const plaintext = foreign.encoder.encode([1], { scale: 2 ** 10, raised: true });
    expectRefusal(sum([ciphertext, raised({ level: 1 })]), "FOREIGN_OBJECT", "ciphertext belongs", context.id);
    expectRefusal(sum([raise(middle), plaintext]), "FOREIGN_OBJECT", "plaintext belongs", context.id);
    const actions = {
      "raised.add": () => evaluator.raised.add(raise(middle), ciphertext),
      "raised.rotate": () => evaluator.raised.rotate(ciphertext, [1]),
      "raised.lower": () => evaluator.raised.lower(ciphertext),
      "raised.lowerAndRescale": () => evaluator.raised.lowerAndRescale(ciphertext),
    };
    for (const [operation, action] of Object.entries(actions)) {
      expectRefusal(action, "FOREIGN_OBJECT", `${operation}: the ciphertext belongs`, context.id);
    }
  });

  test("are added at one level and scale, and rescaled while a prime is left", () => {
    expectRefusal(() => evaluator.raised.add(raise(top), raise(middle)), "LEVEL_MISMATCH", "levels 2 and 1");
    const doubled = { ...raise(middle), scale: 2 * SCALE };
    expectRefusal(() => evaluator.raised.add(raise(middle), doubled), "SCALE_MISMATCH", "2^26.00 and 2^27.00");
    expectRefusal(() => evaluator.raised.lowerAndRescale(raise(bottom)), "LEVEL_EXHAUSTED", "level 0", "refresh");
  });
});

describe("arguments", () => {
  test.each([
    [() => evaluator.rotate(top, 0.5), "steps must be an integer, got 0.5"],
    [() => evaluator.rotateHoisted(middle, [1, Number.NaN]), "steps must be an integer, got NaN"],
    [() => evaluator.dropLevel(middle, 2), "dropLevel: level must be an integer from 0 to the ciphertext's 1, got 2"],
    [() => evaluator.dropLevel(middle, -1), "got -1"],
    [() => evaluator.dropLevel(middle, 0.5), "got 0.5"],
    [() => evaluator.weightedSum([]), "weightedSum needs at least one term"],
    [() => evaluator.raised.weightedSum([]), "raised.weightedSum needs at least one term"],
  ])("are checked: %s", (action, message) => {
    expect(action).toThrow(RangeError);
    expect(action).toThrow(message);
  });
});
