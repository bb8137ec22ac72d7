/** Networks as PyCrCNN's users know them: a list of encrypted layers made from a PyTorch model, which can be called as a whole. */

import { CrcnnError } from "../errors/index.ts";
import { type CallableLayer, callable } from "../layers/index.ts";
import {
  createSegment,
  type EncryptedTensor,
  type Evaluator,
  flatLayout,
  type Layout,
  type LoweredNetwork,
  type Refresher,
  type RunOptions,
  type Segment,
  type Shape,
  slotCosts,
} from "../plan/index.ts";
import { cutAtRefreshes, type NetworkStep, networkSteps, traceShapes } from "./network.ts";
import { searchLayout } from "./planner/search.ts";
import type { SourceModel } from "./source/source-model.ts";

export interface BuildOptions {
  /** Layers of the source model (0-based) before which the key's owner decrypts and encrypts afresh. */
  readonly rencryptPositions?: readonly number[] | undefined;
}

export interface NetworkCallOptions extends RunOptions {
  /** Who refreshes, where the network has re-encryption positions: the key's owner. */
  readonly refresh?: Refresher | undefined;
}

/**
 * An ordered, iterable list of callable layers that is callable itself. Called as a whole it fuses neighbouring affine layers between
 * refreshes; called one by one, layers are not fused.
 */
export interface EncryptedNetwork extends Iterable<CallableLayer> {
  (input: EncryptedTensor, options?: NetworkCallOptions): EncryptedTensor;
  readonly layers: readonly CallableLayer[];
  /** Layers before which a refresh takes place, ascending. */
  readonly rencryptPositions: readonly number[];
}

/**
 * Binds a PyTorch model to an evaluator.
 *
 * The network throws CrcnnError REFRESH_NEEDED when it has re-encryption positions and nobody is named; SHAPE_MISMATCH; MISSING_KEY with all
 * missing keys of a stretch at once; LEVEL_EXHAUSTED.
 *
 * @throws RangeError for a position that is no layer's number.
 */
export function buildFromPytorch(he: Evaluator, model: SourceModel, options: BuildOptions = {}): EncryptedNetwork {
  const layers = model.layers.map(({ layer }) => callable(he, layer));
  const stretches = cutAtRefreshes(model, options.rencryptPositions ?? []);
  const rencryptPositions = stretches.slice(1).map((stretch) => stretch.layers[0].index);
  const networks = new Map<string, { shapes: readonly Shape[]; segments: readonly Segment[] }>();

  function networkFor(shape: Shape): { shapes: readonly Shape[]; segments: readonly Segment[] } {
    const key = shape.join("x");
    let network = networks.get(key);
    if (!network) {
      const shapes = [shape];
      const segments = stretches.map((stretch, i) => {
        const traced = traceShapes(stretch, shapes[i]);
        shapes.push(traced[traced.length - 1]);
        const steps = networkSteps(stretch, traced);
        const [first, last] = [stretch.layers[0].index, stretch.layers[stretch.layers.length - 1].index];
        return createSegment(he, `the stretch of layers ${first} to ${last}`, (layout, factor) =>
          lowerSteps(he, steps, layout, factor),
        );
      });
      network = { shapes, segments };
      networks.set(key, network);
    }
    return network;
  }

  const call = (input: EncryptedTensor, { refresh, ...run }: NetworkCallOptions = {}): EncryptedTensor => {
    const { shapes, segments } = networkFor(input.shape);
    if (segments.length > 1 && !refresh) {
      throw new CrcnnError(
        "REFRESH_NEEDED",
        `the network re-encrypts before layers ${rencryptPositions.join(", ")}; call it as net(x, { refresh: owner })`,
      );
    }
    return segments.reduce((tensor, segment, i) => {
      if (i === 0) return segment(tensor, run);
      const layout = flatLayout(shapes[i], tensor.layout.slots);
      return segment((refresh as Refresher).refresh(tensor, layout), run);
    }, input);
  };
  return Object.freeze(
    Object.assign(call, { layers, rencryptPositions, [Symbol.iterator]: () => layers[Symbol.iterator]() }),
  );
}

function lowerSteps(he: Evaluator, steps: readonly NetworkStep[], layout: Layout, factor: number): LoweredNetwork {
  const { parameters, alpha } = he.context;
  return searchLayout(steps, {
    inputShape: layout.shape,
    inputLayout: layout,
    inputFactor: factor,
    slots: layout.slots,
    costs: slotCosts(parameters.ringDegree, alpha),
  });
}
