/** Resize and Upsample, where every pixel becomes a block of its like. */

import { convTranspose2dLayer } from "../../../layers/index.ts";
import { invalid, type Operation, unsupported, withBatch } from "../operation.ts";
import type { Activation } from "../values.ts";
import type { Pair } from "./spatial.ts";

export function resize(operation: Operation): Activation {
  const { attributes } = operation;
  const x = operation.activation(0);
  const mode = attributes.text("mode", "nearest");
  const nearest = attributes.text("nearest_mode", "round_prefer_floor");
  const from = attributes.text("coordinate_transformation_mode", "half_pixel");
  attributes.ignore("cubic_coeff_a", "exclude_outside", "extrapolation_value", "antialias");
  const policy = attributes.text("keep_aspect_ratio_policy", "stretch");
  const floor = from === "asymmetric" && nearest === "floor";
  // In both cases the pixel i shows that of i / scale, rounded down.
  const blocks = floor || (from === "half_pixel" && nearest.startsWith("round_prefer_"));
  if (mode !== "nearest" || policy !== "stretch" || !blocks) {
    throw unsupported(
      operation,
      `resizes by mode "${mode}" (${from}, ${nearest}): blocks of equal pixels run encrypted`,
    );
  }
  return enlarged(operation, x, scalesOf(operation, x, 2));
}

/** What Resize was called before version 10. */
export function upsample(operation: Operation): Activation {
  const x = operation.activation(0);
  const mode = operation.attributes.text("mode", "nearest");
  if (mode !== "nearest") throw unsupported(operation, `resizes by mode "${mode}": only "nearest" runs encrypted`);
  const scales = operation.attributes.floats("scales");
  return enlarged(operation, x, scales ?? scalesOf(operation, x, 1));
}

/** By axis, the batch included. Version 10 has no region of interest before them. */
function scalesOf(operation: Operation, x: Activation, at: number): readonly number[] {
  const first = operation.opset === 10 ? 1 : at;
  if (operation.attributes.integers("axes") !== undefined) {
    throw unsupported(operation, "resizes axes that it lists: export it without axes");
  }
  const scales = operation.floats(first, "scales")?.data;
  if (scales !== undefined && scales.length > 0) return [...scales];
  const sizes = operation.integers(first + 1, "sizes")?.data;
  if (sizes === undefined) throw invalid(operation, "has neither scales nor sizes");
  const own = ["batch", ...x.shape];
  return sizes.map((size, axis) =>
    size === own[axis] || (axis === 0 && size === operation.batch) ? 1 : Number(size) / Number(own[axis]),
  );
}

/** Each channel by itself, by a transposed convolution with a block of ones. */
function enlarged(operation: Operation, x: Activation, scales: readonly number[]): Activation {
  const [batch, depth, ...scale] = scales;
  const [channels] = x.shape;
  const whole = scale.length === 2 && scale.every((factor) => Number.isInteger(factor) && factor >= 1);
  if (x.shape.length !== 3 || batch !== 1 || depth !== 1 || !whole) {
    throw unsupported(
      operation,
      `scales ${withBatch(x.shape)} by [${scales.join(", ")}]: height and width of an image by whole numbers run encrypted`,
    );
  }
  const count = channels * scale[0] * scale[1];
  operation.spendMade(count);
  const weight = { shape: [channels, 1, ...scale], data: new Float64Array(count).fill(1) };
  return operation.emit(() => convTranspose2dLayer({ weight, stride: scale as unknown as Pair, groups: channels }), x);
}
