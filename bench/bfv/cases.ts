/** BFV operations beside the rival's: what a client does, then what a server does. */

import { type BfvCiphertext, encryptBfv } from "crcnn/bfv";
import { decryptBfv, encryptBfvSymmetric } from "crcnn/owner";
import { freeCiphertext } from "crcnn/rlwe";
import { type Case, requireNear } from "../measure.ts";
import { sequence } from "../random.ts";
import type { CipherText } from "../rival.ts";
import type { BfvParty } from "./party.ts";
import type { BfvRival } from "./rival.ts";

export const BFV_STEPS: readonly number[] = [1];

/** Integers in [0, bound). */
function randomSlots(length: number, bound: number, seed: number): Int32Array {
  const next = sequence(seed);
  return Int32Array.from({ length }, () => Math.floor(next() * bound));
}

interface Operation {
  readonly name: string;
  ours(): BfvCiphertext;
  theirs(): CipherText;
  readonly expected: Int32Array;
}

/** @param params Describes the party's parameters. */
export function bfvCases(party: BfvParty, rival: BfvRival, params: string): Case[] {
  const { context, secret, publicKey, encoder, evaluator } = party;
  const { plainModulus: t } = context;
  const { slots } = encoder;
  const [x, y] = [randomSlots(slots, t, 1), randomSlots(slots, t, 2)];
  const combined = (combine: (a: number, b: number) => number): Int32Array => x.map((a, i) => combine(a, y[i]!) % t);
  const sum = combined((a, b) => a + b);
  const product = combined((a, b) => a * b);
  const square = x.map((a) => (a * a) % t);
  const columns = slots / 2;
  const turned = x.map((_, i) => x[i < columns ? (i + 1) % columns : columns + ((i + 1) % columns)]!);

  const [px, py] = [encoder.encode(x), encoder.encode(y)];
  const factor = evaluator.prepareFactor(py);
  const [cx, cy] = [party.encrypt(x), party.encrypt(y)];
  const [rpx, rpy] = [rival.encode(x), rival.encode(y)];
  const [rx, ry] = [rival.encrypt(x), rival.encrypt(y)];
  const result = rival.emptyCiphertext();
  const scratch = rival.emptyPlaintext();
  const into = (work: () => void) => (): CipherText => {
    work();
    return result;
  };

  const operations: Operation[] = [
    {
      name: "encrypt-public",
      ours: () => encryptBfv(context, px, publicKey),
      theirs: into(() => rival.encryptor.encrypt(rpx, result)),
      expected: x,
    },
    {
      name: "add",
      ours: () => evaluator.add(cx, cy),
      theirs: into(() => rival.evaluator.add(rx, ry, result)),
      expected: sum,
    },
    {
      name: "multiply-plain",
      ours: () => evaluator.multiplyPlain(cx, py),
      theirs: into(() => rival.evaluator.multiplyPlain(rx, rpy, result)),
      expected: product,
    },
    {
      name: "multiply-plain-prepared",
      ours: () => evaluator.multiplyPlain(cx, factor),
      theirs: into(() => rival.evaluator.multiplyPlain(rx, rpy, result)),
      expected: product,
    },
    {
      name: "multiply",
      ours: () => evaluator.multiply(cx, cy),
      theirs: into(() => rival.evaluator.multiply(rx, ry, result)),
      expected: product,
    },
    {
      name: "square",
      ours: () => evaluator.square(cx),
      theirs: into(() => rival.evaluator.square(rx, result)),
      expected: square,
    },
    {
      name: "multiply-relinearize",
      ours: () => evaluator.multiplyRelinearize(cx, cy),
      theirs: into(() => {
        rival.evaluator.multiply(rx, ry, result);
        rival.evaluator.relinearize(result, rival.relinearizationKeys, result);
      }),
      expected: product,
    },
    {
      name: "rotate-rows",
      ours: () => evaluator.rotateRows(cx, 1),
      theirs: into(() => rival.evaluator.rotateRows(rx, 1, rival.galoisKeys, result)),
      expected: turned,
    },
  ];

  const common = { params, peer: rival.name };
  const onCiphertexts = operations.map(({ name, ours, theirs, expected }) => ({
    ...common,
    name: `bfv/${name}`,
    ours: () => freeCiphertext(ours()),
    theirs,
    verify: () => {
      requireNear("ours", party.readAndFree(ours()), expected);
      requireNear("the peer's", rival.decryptSlots(theirs()), expected);
    },
  }));
  return [
    {
      ...common,
      name: "bfv/encode",
      ours: () => void encoder.encode(x),
      theirs: () => void rival.encoder.encode(x, scratch),
      verify: () => {
        requireNear("ours", encoder.decode(encoder.encode(x), { signed: false }), x);
        rival.encoder.encode(x, scratch);
        requireNear("the peer's", rival.encoder.decode(scratch, false), x);
      },
    },
    {
      ...common,
      name: "bfv/decode",
      ours: () => void encoder.decode(px),
      theirs: () => void rival.encoder.decode(rpx, true),
      verify: () => {
        requireNear("ours", encoder.decode(px, { signed: false }), x);
        requireNear("the peer's", rival.encoder.decode(rpx, false), x);
      },
    },
    {
      ...common,
      name: "bfv/encrypt-symmetric",
      ours: () => freeCiphertext(encryptBfvSymmetric(secret, px)),
      theirs: () => rival.encryptor.encryptSymmetricSerializable(rpx).delete(),
      verify: () => {
        requireNear("ours", party.readAndFree(encryptBfvSymmetric(secret, px)), x);
        const seeded = rival.encryptor.encryptSymmetricSerializable(rpx);
        requireNear("the peer's", rival.decryptSlots(rival.load(seeded.saveArray())), x);
        seeded.delete();
      },
    },
    {
      ...common,
      name: "bfv/decrypt",
      ours: () => void decryptBfv(secret, cx),
      theirs: () => rival.decrypt(rx, scratch),
      verify: () => {
        requireNear("ours", encoder.decode(decryptBfv(secret, cx), { signed: false }), x);
        requireNear("the peer's", rival.decryptSlots(rx), x);
      },
    },
    ...onCiphertexts,
  ];
}
