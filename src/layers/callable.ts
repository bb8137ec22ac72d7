/** Layers that are called on encrypted tensors as PyTorch's are on plain ones: `const y = conv(x)`. */

import {
  type AffineMap,
  choosePool,
  createSegment,
  type EncryptedTensor,
  type Evaluator,
  type Layer,
  type Layout,
  type LoweredNetwork,
  type LoweredStage,
  lowerAffine,
  packingOf,
  pricesAt,
  type RunOptions,
  reshapeLayout,
  type Shape,
  slotCosts,
} from "../plan/index.ts";

/** A layer bound to an evaluator. */
export interface CallableLayer extends Layer {
  /**
   * Runs the layer on a tensor in any layout. The first call on a layout lowers the layer and encodes its weights; later ones reuse that.
   *
   * @throws CrcnnError SHAPE_MISMATCH; MISSING_KEY with all missing keys at once; LEVEL_EXHAUSTED.
   */
  (input: EncryptedTensor, options?: RunOptions): EncryptedTensor;
}

/** Binds a layer to an evaluator. */
export function callable(he: Evaluator, layer: Layer): CallableLayer {
  const segments = new Map<string, (input: EncryptedTensor, options?: RunOptions) => EncryptedTensor>();
  const call = (input: EncryptedTensor, options?: RunOptions): EncryptedTensor => {
    const key = input.shape.join("x");
    let segment = segments.get(key);
    if (!segment) {
      layer.outputShape(input.shape);
      segment = createSegment(he, layer.kind, (layout, factor, level) =>
        lowerLayer(he, layer, input.shape, layout, factor, level),
      );
      segments.set(key, segment);
    }
    return segment(input, options);
  };
  return Object.freeze(Object.assign(call, { ...layer }));
}

function lowerLayer(
  he: Evaluator,
  layer: Layer,
  shape: Shape,
  layout: Layout,
  factor: number,
  level: number,
): LoweredNetwork {
  const input = reshapeLayout(layout, shape);
  const { stage, outputFactor } = lowerStage(he, layer, input, factor, level);
  return {
    slots: layout.slots,
    input: packingOf(input),
    stages: [stage],
    output: stage.kind === "square" ? input : stage.output,
    outputFactor,
  };
}

function lowerStage(
  he: Evaluator,
  layer: Layer,
  input: Layout,
  factor: number,
  level: number,
): { stage: LoweredStage; outputFactor: number } {
  const layers = [0, 0] as const;
  const algebra = layer.algebra(input.shape);
  if (algebra.kind === "steps") throw new Error("to come");
  if (algebra.kind === "square") return { stage: { kind: "square", layers, layout: input }, outputFactor: factor ** 2 };
  const { parameters, alpha } = he.context;
  const costs = slotCosts(parameters.ringDegree, alpha);
  // Pools of equal weights, and layers that only rename elements, take no level.
  const pool = choosePool(algebra.map, input, pricesAt(costs, level), new Set());
  if (pool) return { stage: { kind: "pool", layers, ...pool }, outputFactor: factor * pool.factor };
  const stage = lowerAffine(divideWeights(algebra.map, factor), input, { costs, level });
  return { stage, outputFactor: 1 };
}

/** The map for inputs that are `factor` times too large. */
function divideWeights(map: AffineMap, factor: number): AffineMap {
  return factor === 1 ? map : { ...map, weight: map.weight.map((weight) => weight / factor) };
}
