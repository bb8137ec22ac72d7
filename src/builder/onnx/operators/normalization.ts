/** BatchNormalization with the statistics of training. */

import { batchNorm1dLayer, batchNorm2dLayer } from "../../../layers/index.ts";
import { type Operation, unsupported, withBatch } from "../operation.ts";
import type { Activation } from "../values.ts";

export function batchNormalization(operation: Operation): Activation {
  const { attributes } = operation;
  const x = operation.activation(0);
  const eps = attributes.float("epsilon", 1e-5);
  attributes.ignore("momentum");
  const training = attributes.flag("training_mode", false);
  // Before version 14 a node that gives out new statistics normalises by those; until version 8 there are statistics for each pixel.
  const more = operation.node.outputs.slice(1).some((name) => name !== "");
  if (!attributes.flag("spatial", true) || training || more) {
    throw unsupported(
      operation,
      "normalises by other statistics than one of training a channel: export after model.eval()",
    );
  }
  const [weight, bias, runningMean, runningVar] = ["scale", "bias", "mean", "variance"].map((name, i) =>
    operation.weight(i + 1, name),
  );
  const options = { weight, bias, runningMean, runningVar, eps };
  if (x.shape.length === 3) return operation.emit(() => batchNorm2dLayer(options), x);
  if (x.shape.length <= 2) return operation.emit(() => batchNorm1dLayer(options), x);
  throw unsupported(operation, `normalises a tensor of shape ${withBatch(x.shape)}: images and sequences run`);
}
