/** Layers that are called on encrypted tensors as PyTorch's are on plain ones: `const y = conv(x)`. */

import {
  chooseAffine,
  choosePool,
  createSegment,
  type Decision,
  type EncryptedTensor,
  type Evaluator,
  joinLayouts,
  type Layer,
  type LayerStep,
  type Layout,
  type LoweredNetwork,
  lowerDecisions,
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
  const algebra = layer.algebra(shape);
  const steps = algebra.kind === "steps" ? algebra.steps : [{ algebra, inputs: [0] }];
  const values = [input];
  const decisions: Decision[] = [];
  for (const step of steps) {
    const decision = decide(he, step, values, level);
    decisions.push(decision);
    values.push(decision.kind === "square" ? decision.layout : decision.choice.output);
  }
  const lowered = lowerDecisions(decisions, { factor, ciphertexts: input.ciphertexts });
  return { slots: layout.slots, input: packingOf(input), output: values[values.length - 1]!, ...lowered };
}

function decide(he: Evaluator, { algebra, inputs }: LayerStep, values: readonly Layout[], level: number): Decision {
  const place = { layers: [0, 0], sources: inputs } as const;
  const read = inputs.map((value) => values[value]!);
  const layout = joinLayouts(read);
  if (algebra.kind === "square") return { kind: "square", ...place, layout };
  const { map } = algebra;
  const { parameters, alpha } = he.context;
  const costs = slotCosts(parameters.ringDegree, alpha);
  // Pools of equal weights, and layers that only rename elements, take no level.
  const pool = read.length === 1 ? choosePool(map, layout, pricesAt(costs, level), new Set()) : undefined;
  if (pool) return { kind: "pool", ...place, choice: pool };
  const inputShapes = read.length === 1 ? [map.inputShape] : read.map(({ shape }) => shape);
  return { kind: "affine", ...place, choice: chooseAffine(map, layout, { costs, level, inputShapes }) };
}
