/**
 * Networks whose ciphertexts are refreshed on the way, one ciphertext a tensor element: the key's owner has some layers evaluated, decrypts,
 * applies a square where one stands there, encrypts afresh at the full budget, and has the next layers evaluated. Whoever evaluates may be
 * in the same process or behind a wire; it never decrypts.
 */

import type { PlaintextEncoder } from "../bfv/index.ts";
import { CrcnnError } from "../errors/index.ts";
import { sizeOf, type Tensor } from "../plan/index.ts";
import { freeCiphertext } from "../rlwe/index.ts";
import type { BfvOwner, EncryptedBfvTensor } from "./bfv-owner.ts";

/** What happens between two refreshes. */
export interface RefreshRound {
  /** Square layers that the owner applies before it encrypts, one after the other: they stand where a refresh is. */
  readonly squares: readonly number[];
  /** The layers to evaluate then; none where the network ends with those squares. */
  readonly layers: readonly number[];
}

/** Evaluates a round's layers on ciphertexts, which stay the caller's, though they may be freed early. */
export type EvaluateLayers = (
  layers: readonly number[],
  input: EncryptedBfvTensor,
  round: number,
) => EncryptedBfvTensor | Promise<EncryptedBfvTensor>;

/** In the order in which they happen, in each round. */
export type RoundStep = "encrypt" | "evaluate" | "decrypt";

export interface RoundsOptions {
  readonly rounds: readonly RefreshRound[];
  readonly encoder: PlaintextEncoder;
  readonly evaluate: EvaluateLayers;
  /**
   * What happens when the values of a round before the last are lost: "hide" goes on with zeros and throws at the end, since what is sent to
   * others must not depend on what was decrypted; "throw" throws at once, where nobody else looks on.
   */
  readonly lost: "hide" | "throw";
  /** Called before each step with the number of the round. */
  readonly onStep?: ((step: RoundStep, round: number) => void) | undefined;
  /** Called with what a square of the owner comes to. */
  readonly onSquare?: ((layer: number, values: Tensor) => void) | undefined;
}

/**
 * Splits layers at the positions of refreshes, each before the layer of its number, and before the model's own Refresh layers. A Square at a
 * position is taken out: the owner applies it.
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
  const rounds: { squares: number[]; layers: number[] }[] = [{ squares: [], layers: [] }];
  for (const layer of layers) {
    const refreshed = positions.includes(layer) || kindOf(layer) === "Refresh";
    // Where nothing was evaluated since the last one, a refresh would repeat the encryption that has just been made.
    if (refreshed && rounds.at(-1)!.layers.length > 0) rounds.push({ squares: [], layers: [] });
    const { squares, layers: evaluated } = rounds.at(-1)!;
    (refreshed && kindOf(layer) === "Square" ? squares : evaluated).push(layer);
  }
  return rounds;
}

/** Errors that tell something of the values which are encrypted or decrypted. */
const DEPEND_ON_VALUES: readonly string[] = ["PRECISION_LOST", "VALUE_RANGE"];

/**
 * Runs the rounds on a tensor.
 *
 * @throws CrcnnError VALUE_RANGE for values that the encoder does not hold, PRECISION_LOST when a result has no noise budget left,
 * and what `evaluate` throws.
 */
export async function runRefreshRounds(
  owner: BfvOwner,
  { rounds, encoder, evaluate, lost, onStep = () => {}, onSquare = () => {} }: RoundsOptions,
  input: Tensor,
): Promise<Tensor> {
  let hidden: CrcnnError | undefined;
  const orZeros = <T>(attempt: () => T, withZeros: () => T): T => {
    try {
      return attempt();
    } catch (error) {
      if (lost === "throw" || !(error instanceof CrcnnError) || !DEPEND_ON_VALUES.includes(error.code)) throw error;
      hidden ??= error;
      return withZeros();
    }
  };
  const encrypt = (tensor: Tensor): EncryptedBfvTensor => owner.encryptTensor(encoder, tensor);
  const last = rounds.findLastIndex(({ layers }) => layers.length > 0);
  let values = input;
  for (const [n, { squares, layers }] of rounds.entries()) {
    for (const layer of squares) {
      values = { shape: values.shape, data: values.data.map((value) => value * value) };
      onSquare(layer, values);
    }
    if (layers.length === 0) continue;
    onStep("encrypt", n);
    const current = values;
    const attempt = (): EncryptedBfvTensor => encrypt(current);
    // What the first round sends depends on the input alone.
    const sent = n === 0 ? attempt() : orZeros(attempt, () => encrypt(zeros(current)));
    let result: EncryptedBfvTensor;
    try {
      onStep("evaluate", n);
      result = await evaluate(layers, sent, n);
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
  if (hidden) throw hidden;
  return values;
}

function zeros({ shape }: { readonly shape: readonly number[] }): Tensor {
  return { shape, data: new Float64Array(sizeOf(shape)) };
}

/** Ciphertexts that are freed already stay so. */
function freeTensor({ ciphertexts }: EncryptedBfvTensor): void {
  ciphertexts.forEach(freeCiphertext);
}
