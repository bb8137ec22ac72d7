/**
 * Networks whose ciphertexts are refreshed on the way, one ciphertext a tensor element: the key's owner has some layers evaluated, decrypts,
 * applies a square where one stands there, encrypts afresh at the full budget, and has the next layers evaluated. Whoever evaluates may be
 * in the same process or behind a wire; it never decrypts.
 */

import type { PlaintextEncoder } from "../bfv/index.ts";
import { CrcnnError } from "../errors/index.ts";
import { sizeOf, type Tensor } from "../plan/index.ts";
import type { BfvOwner, EncryptedBfvTensor } from "./bfv-owner.ts";

/** What happens between two refreshes. */
export interface RefreshRound {
  /** Whether the owner squares the values before it encrypts them: there was a Square where the refresh is. */
  readonly square: boolean;
  /** The layers to evaluate then; none where the network ends with that square, or another refresh follows. */
  readonly layers: readonly number[];
}

/** Evaluates layers on ciphertexts, which stay the caller's. */
export type EvaluateLayers = (layers: readonly number[], input: EncryptedBfvTensor) => Promise<EncryptedBfvTensor>;

/** In the order in which they happen, in each round. */
export type RoundStep = "encrypt" | "evaluate" | "decrypt";

export interface RoundsOptions {
  readonly rounds: readonly RefreshRound[];
  readonly encoder: PlaintextEncoder;
  readonly evaluate: EvaluateLayers;
  /** Called before each step with the number of the round. */
  readonly onStep?: ((step: RoundStep, round: number) => void) | undefined;
}

/**
 * Splits layers at the positions of refreshes, each before the layer of its number. A Square there is taken out: the owner applies it.
 *
 * @param layers Numbers of layers, ascending without a gap.
 * @param kindOf PyTorch's class name of a layer.
 * @throws RangeError for a position that is none of the layers.
 */
export function refreshRounds(
  layers: readonly number[],
  kindOf: (layer: number) => string | undefined,
  positions: readonly number[],
): RefreshRound[] {
  const foreign = positions.find((position) => !layers.includes(position));
  if (foreign !== undefined) {
    throw new RangeError(
      `rencrypt_positions must be numbers of the layers that run, ${layers[0]} to ${layers.at(-1)}, got ${foreign}`,
    );
  }
  const rounds: { square: boolean; layers: number[] }[] = [{ square: false, layers: [] }];
  for (const layer of layers) {
    const refreshed = positions.includes(layer);
    const square = refreshed && kindOf(layer) === "Square";
    // A refresh before the first layer would repeat the encryption that has just been made.
    if (refreshed && (square || layer !== layers[0])) rounds.push({ square, layers: [] });
    if (!square) rounds.at(-1)!.layers.push(layer);
  }
  return rounds.filter((round) => round.square || round.layers.length > 0);
}

/** Errors that tell something of the values which are encrypted or decrypted. */
const DEPEND_ON_VALUES: readonly string[] = ["PRECISION_LOST", "VALUE_RANGE"];

/**
 * Runs the rounds on a tensor. Where the values of a round in the middle are lost, the rounds go on with zeros and the error is thrown at
 * the end: what is sent must not depend on what was decrypted.
 *
 * @throws CrcnnError VALUE_RANGE for an input that the encoder does not hold, PRECISION_LOST when a result has no noise budget left,
 * and what `evaluate` throws.
 */
export async function runRefreshRounds(
  owner: BfvOwner,
  { rounds, encoder, evaluate, onStep = () => {} }: RoundsOptions,
  input: Tensor,
): Promise<Tensor> {
  let lost: CrcnnError | undefined;
  const orZeros = <T>(attempt: () => T, withZeros: () => T): T => {
    try {
      return attempt();
    } catch (error) {
      if (!(error instanceof CrcnnError) || !DEPEND_ON_VALUES.includes(error.code)) throw error;
      lost ??= error;
      return withZeros();
    }
  };
  const encrypt = (tensor: Tensor): EncryptedBfvTensor => owner.encryptTensor(encoder, tensor);
  const first = rounds.findIndex(({ layers }) => layers.length > 0);
  const last = rounds.findLastIndex(({ layers }) => layers.length > 0);
  let values = input;
  for (const [n, { square, layers }] of rounds.entries()) {
    if (square) values = { shape: values.shape, data: values.data.map((value) => value * value) };
    if (layers.length === 0) continue;
    onStep("encrypt", n);
    const current = values;
    const attempt = (): EncryptedBfvTensor => encrypt(current);
    const sent = n === first ? attempt() : orZeros(attempt, () => encrypt(zeros(current)));
    let result: EncryptedBfvTensor;
    try {
      onStep("evaluate", n);
      result = await evaluate(layers, sent);
    } finally {
      freeTensor(sent);
    }
    try {
      onStep("decrypt", n);
      const read = (): Tensor => owner.decryptTensor(encoder, result);
      values = n === last ? read() : orZeros(read, () => zeros(result));
    } finally {
      freeTensor(result);
    }
  }
  if (lost) throw lost;
  return values;
}

function zeros({ shape }: { readonly shape: readonly number[] }): Tensor {
  return { shape, data: new Float64Array(sizeOf(shape)) };
}

function freeTensor({ ciphertexts }: EncryptedBfvTensor): void {
  for (const { components } of ciphertexts) for (const { block } of components) block.free();
}
