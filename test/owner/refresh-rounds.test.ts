import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFractionalEncoder, type FractionalEncoder } from "../../src/bfv/index.ts";
import { CrcnnError } from "../../src/errors/index.ts";
import { findNttPrimes } from "../../src/math/index.ts";
import {
  type BfvOwner,
  createOwner,
  type EncryptedBfvTensor,
  type EvaluateLayers,
  type RefreshRound,
  refreshRounds,
  runRefreshRounds,
} from "../../src/owner/index.ts";
import type { Tensor } from "../../src/plan/index.ts";
import { seededRandom } from "../helpers/random.ts";

const KINDS = ["Conv2d", "Square", "AvgPool2d", "Square", "Flatten", "Linear", "Square"];
const roundsOf = (layers: number[], positions: number[]): RefreshRound[] =>
  refreshRounds(layers, (layer) => KINDS[layer], positions);

describe("rounds", () => {
  test("without a position there is one round", () => {
    expect(roundsOf([0, 1, 2], [])).toEqual([{ squares: [], layers: [0, 1, 2] }]);
  });

  test("a position starts another, and takes a square out", () => {
    expect(roundsOf([0, 1, 2, 3, 4, 5], [1, 4])).toEqual([
      { squares: [], layers: [0] },
      { squares: [1], layers: [2, 3] },
      { squares: [], layers: [4, 5] },
    ]);
  });

  test("before the first layer there is nothing to refresh, but a square to apply", () => {
    expect(roundsOf([2, 3], [2])).toEqual([{ squares: [], layers: [2, 3] }]);
    expect(roundsOf([1, 2], [1])).toEqual([{ squares: [1], layers: [2] }]);
  });

  test("a square at the end leaves nothing to evaluate, two in a row stand in one round", () => {
    expect(roundsOf([5, 6], [6, 6])).toEqual([
      { squares: [], layers: [5] },
      { squares: [6], layers: [] },
    ]);
    expect(refreshRounds([0, 1, 2], () => "Square", [1, 2])).toEqual([
      { squares: [], layers: [0] },
      { squares: [1, 2], layers: [] },
    ]);
    expect(refreshRounds([0, 1, 2], () => "Square", [0])).toEqual([{ squares: [0], layers: [1, 2] }]);
  });

  test("a model's own refreshes are positions", () => {
    const kinds = ["Linear", "Refresh", "Square", "Refresh"];
    expect(refreshRounds([0, 1, 2, 3], (layer) => kinds[layer], [])).toEqual([
      { squares: [], layers: [0] },
      { squares: [], layers: [1, 2] },
      { squares: [], layers: [3] },
    ]);
  });

  test.each([-1, 1, 4, 1.5])("a position outside the layers is refused: %d", (position) => {
    expect(() => roundsOf([2, 3], [position])).toThrowError(/rencrypt_positions must be numbers .*2 to 3/);
  });
});

describe("running them", () => {
  let owner: BfvOwner;
  let encoder: FractionalEncoder;
  const input = { shape: [2, 2], data: Float64Array.of(0.5, -1.25, 3, 0) };
  const lost = "hide" as const;
  const used = (): number => owner.context.ring.heap.usage().used;

  beforeAll(async () => {
    const parameters = {
      ringDegree: 1024,
      dataPrimes: findNttPrimes(1024, [28, 28]),
      specialPrimes: [],
      plainModulus: 2 ** 20,
      security: "insecure",
    } as const;
    owner = await createOwner({ scheme: "bfv", parameters }, { random: seededRandom(5) });
    encoder = createFractionalEncoder(owner.context);
  });
  afterAll(() => owner.destroy());

  /** Twice the values, from public material alone. */
  const double: EvaluateLayers = async (_, { shape, ciphertexts }) => ({
    shape,
    ciphertexts: ciphertexts.map((each) => owner.evaluator.add(each, each)),
  });

  test("values are squared exactly, encrypted afresh, and all memory is given back", async () => {
    // The powers of the secret and the encoder's tables are made once.
    await runRefreshRounds(owner, { rounds: roundsOf([0], []), encoder, evaluate: double, lost }, input);
    const before = used();
    const steps: string[] = [];
    const budgets: number[] = [];
    const evaluate: EvaluateLayers = (layers, tensor, round) => {
      budgets.push(owner.noiseBudget(tensor.ciphertexts[0]!));
      return double(layers, tensor, round);
    };
    const rounds = [
      { squares: [], layers: [0] },
      { squares: [1], layers: [2] },
      { squares: [3], layers: [] },
    ];
    const squared: unknown[] = [];
    const onSquare = (layer: number, { data }: Tensor): void => void squared.push([layer, data[2]]);
    const onStep = (step: string, round: number): void => void steps.push(`${step} ${round}`);
    const result = await runRefreshRounds(owner, { rounds, encoder, evaluate, lost, onStep, onSquare }, input);
    expect(result).toEqual({ shape: [2, 2], data: input.data.map((value) => (2 * (2 * value) ** 2) ** 2) });
    expect(squared).toEqual([
      [1, 36],
      [3, 72 ** 2],
    ]);
    expect(steps).toEqual(["encrypt 0", "evaluate 0", "decrypt 0", "encrypt 1", "evaluate 1", "decrypt 1"]);
    expect(Math.abs(budgets[0]! - budgets[1]!)).toBeLessThan(1);
    expect(used()).toBe(before);
  });

  test("values that are lost on the way become zeros, and an error at the end", async () => {
    const sent: number[][] = [];
    const evaluate: EvaluateLayers = async (layers, tensor, round) => {
      sent.push([...owner.decryptTensor(encoder, tensor).data]);
      return double(layers, tensor, round);
    };
    const huge = { shape: [2], data: Float64Array.of(2 ** 40, 1) };
    const failing = runRefreshRounds(owner, { rounds: roundsOf([0, 1, 2], [1]), encoder, evaluate, lost }, huge);
    await expect(failing).rejects.toMatchObject({ code: "VALUE_RANGE" });
    expect(sent).toEqual([
      [2 ** 40, 1],
      [0, 0],
    ]);
    sent.length = 0;
    const rounds = roundsOf([0, 1, 2], [1]);
    await expect(runRefreshRounds(owner, { rounds, encoder, evaluate, lost: "throw" }, huge)).rejects.toMatchObject({
      code: "VALUE_RANGE",
    });
    expect(sent).toHaveLength(1);
  });

  test("an input that cannot be encoded is refused before anything is sent, a refusal is passed on", async () => {
    let asked = 0;
    const refuse = (): Promise<EncryptedBfvTensor> => {
      asked++;
      return Promise.reject(new CrcnnError("SERVER_UNREACHABLE", "no answer came"));
    };
    const options = { rounds: roundsOf([0], []), encoder, evaluate: refuse, lost };
    const tooLarge = { shape: [1], data: Float64Array.of(2 ** 70) };
    await expect(runRefreshRounds(owner, options, tooLarge)).rejects.toMatchObject({ code: "VALUE_RANGE" });
    expect(asked).toBe(0);
    const before = used();
    await expect(runRefreshRounds(owner, options, input)).rejects.toThrowError(/no answer/);
    expect({ asked, used: used() }).toEqual({ asked: 1, used: before });
  });
});
