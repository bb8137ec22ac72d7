/** A torch file of four layers without a square, as PyCrCNN's example `"layers": [0, 1, 2, 3]` wants one under its own parameters. */

import { integer, LINEAR, module, SEQUENTIAL, storage, tensor, torchFile, tuple } from "../builder/torch/pickle.ts";
import { numbers } from "./plans.ts";

const CONV = ["torch.nn.modules.conv", "Conv2d"] as const;
const POOL = ["torch.nn.modules.pooling", "AvgPool2d"] as const;
const FLATTEN = ["torch.nn.modules.flatten", "Flatten"] as const;

const pair = (value: number): string => tuple(integer(value), integer(value));

/** Conv2d(1, 2, 5, stride=2), AvgPool2d(2), Flatten, Linear(72, 10): for images of 1x28x28. */
export function affineNet(): Uint8Array {
  const next = numbers(23);
  const floats = (count: number): Uint8Array =>
    new Uint8Array(Float32Array.from({ length: count }, () => next() / 8).buffer);
  const layers = {
    0: module(
      CONV,
      {
        weight: tensor(storage("0", 50), [2, 1, 5, 5], [25, 25, 5, 1]),
        bias: tensor(storage("1", 2), [2], [1]),
      },
      {},
      {
        in_channels: integer(1),
        out_channels: integer(2),
        kernel_size: pair(5),
        stride: pair(2),
        padding: pair(0),
        dilation: pair(1),
        transposed: "\x89",
        output_padding: pair(0),
        groups: integer(1),
        padding_mode: "X\x05\0\0\0zeros",
      },
    ),
    1: module(
      POOL,
      {},
      {},
      {
        kernel_size: integer(2),
        stride: integer(2),
        padding: integer(0),
        ceil_mode: "\x89",
        count_include_pad: "\x88",
        divisor_override: "N",
      },
    ),
    2: module(FLATTEN, {}, {}, { start_dim: integer(1), end_dim: integer(-1) }),
    3: module(
      LINEAR,
      { weight: tensor(storage("2", 720), [10, 72], [72, 1]), bias: tensor(storage("3", 10), [10], [1]) },
      {},
      { in_features: integer(72), out_features: integer(10) },
    ),
  };
  const storages = { 0: floats(50), 1: floats(2), 2: floats(720), 3: floats(10) };
  return torchFile(module(SEQUENTIAL, {}, layers), storages);
}
