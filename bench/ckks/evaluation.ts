/** What a server does: operations on ciphertexts, with public material. */

import type { CkksCiphertext } from "crcnn/ckks";
import type { PlanNode } from "crcnn/plan";
import { freeCiphertext } from "crcnn/rlwe";
import { type Case, requireNear } from "../measure.ts";
import { randomReals } from "../random.ts";
import type { CipherText, Rival } from "../rival.ts";
import { bytesMoved, countNodes } from "../traffic.ts";
import { type Party, readAndFree } from "./party.ts";

/** Scale of messages; products have its square. */
const SCALE = 2 ** 30;
/** Slots are in [-1, 1); our noise at this scale is below 1e-4. */
const TOLERANCE = 1e-3;
/** The rival's digits are not centred: slots whose root is near 1 take the sum of their common part, noise of up to 1e-2. */
const PEER_TOLERANCE = 2e-2;
export const HOISTED_STEPS: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8];

interface Operation {
  readonly name: string;
  ours(): CkksCiphertext[];
  theirs(): CipherText[];
  readonly expected: readonly Float64Array[];
  /** The same in a Plan, for counting; node 0 is the operand. */
  readonly nodes: readonly PlanNode[];
}

const INPUT: PlanNode = { op: "input", index: 0 };
const rotation = (steps: number): PlanNode => ({ op: "rotate", source: 0, steps });
const turned = (values: Float64Array, steps: number): Float64Array =>
  values.map((_, i) => values[(i + steps) % values.length]!);

function operations({ evaluator, encoder, encrypt }: Party, rival: Rival): Operation[] {
  const [x, y] = [randomReals(encoder.slots, 1), randomReals(encoder.slots, 2)];
  const product = x.map((value, i) => value * y[i]!);
  const [cx, cy] = [encrypt(x, SCALE), encrypt(y, SCALE)];
  const plaintext = encoder.encode(y, { scale: SCALE });
  const large = encrypt(x, SCALE ** 2);

  const { galoisKeys, relinearizationKeys } = rival;
  const [rx, ry] = [rival.encrypt(x, SCALE), rival.encrypt(y, SCALE)];
  const rivalPlaintext = rival.emptyPlaintext();
  rival.encoder.encode(y, SCALE, rivalPlaintext);
  const rivalLarge = rival.encrypt(x, SCALE ** 2);
  const results = HOISTED_STEPS.map(() => rival.emptyCiphertext());
  const into = (work: (result: CipherText) => void) => (): CipherText[] => {
    const result = results[0]!;
    work(result);
    return [result];
  };

  return [
    {
      name: "add",
      ours: () => [evaluator.add(cx, cy)],
      theirs: into((result) => rival.evaluator.add(rx, ry, result)),
      expected: [x.map((value, i) => value + y[i]!)],
      nodes: [INPUT, { op: "add", left: 0, right: 0 }],
    },
    {
      name: "multiply-plain",
      ours: () => [evaluator.multiplyPlain(cx, plaintext)],
      theirs: into((result) => rival.evaluator.multiplyPlain(rx, rivalPlaintext, result)),
      expected: [product],
      nodes: [INPUT, { op: "weightedSum", terms: [{ source: 0, weights: y }] }],
    },
    {
      name: "multiply-relinearize",
      ours: () => {
        const raw = evaluator.multiply(cx, cy);
        const relinearized = evaluator.relinearize(raw);
        freeCiphertext(raw);
        return [relinearized];
      },
      theirs: into((result) => {
        rival.evaluator.multiply(rx, ry, result);
        rival.evaluator.relinearize(result, relinearizationKeys, result);
      }),
      expected: [product],
      nodes: [INPUT, { op: "square", source: 0 }, { op: "relinearize", source: 1 }],
    },
    {
      name: "rescale",
      ours: () => [evaluator.rescale(large)],
      theirs: into((result) => rival.evaluator.rescaleToNext(rivalLarge, result)),
      expected: [x],
      nodes: [INPUT, { op: "rescale", source: 0 }],
    },
    {
      name: "rotate",
      ours: () => [evaluator.rotate(cx, 1)],
      theirs: into((result) => rival.evaluator.rotateVector(rx, 1, galoisKeys, result)),
      expected: [turned(x, 1)],
      nodes: [INPUT, rotation(1)],
    },
    {
      name: "rotate-hoisted-8",
      ours: () => evaluator.rotateHoisted(cx, HOISTED_STEPS),
      theirs: () => {
        for (const [i, step] of HOISTED_STEPS.entries()) {
          rival.evaluator.rotateVector(rx, step, galoisKeys, results[i]!);
        }
        return results;
      },
      expected: HOISTED_STEPS.map((step) => turned(x, step)),
      nodes: [INPUT, ...HOISTED_STEPS.map(rotation)],
    },
  ];
}

/** @param params Describes the party's parameters. */
export function evaluationCases(party: Party, rival: Rival, params: string): Case[] {
  const { parameters } = party.context;
  return operations(party, rival).map(({ name, ours, theirs, expected, nodes }) => ({
    name: `ckks/${name}`,
    params,
    ours: () => ours().forEach(freeCiphertext),
    peer: rival.name,
    theirs,
    verify: () => {
      for (const [i, result] of ours().entries()) {
        requireNear("ours", readAndFree(party, result), expected[i]!, TOLERANCE);
      }
      for (const [i, result] of theirs().entries()) {
        requireNear("the peer's", rival.decryptSlots(result), expected[i]!, PEER_TOLERANCE);
      }
    },
    bytes: bytesMoved(parameters.ringDegree, countNodes(parameters, nodes)),
  }));
}
