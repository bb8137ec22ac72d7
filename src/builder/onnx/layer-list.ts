/** The layers that a graph becomes, in the order of its nodes. */

import { CrcnnError } from "../../errors/index.ts";
import { type Layer, type Shape, sizeOf } from "../../plan/index.ts";
import { exactOnlyRefusal } from "../activation-refusal.ts";
import { MAX_LAYERS } from "../source/limits.ts";
import { refusedLayer } from "../source/refused-layer.ts";
import { MODEL_INPUT, type SourceLayer, type SourceModel } from "../source/source-model.ts";
import { withLabel } from "../source/with-label.ts";
import { MAX_ACTIVATION } from "./limits.ts";
import type { Activation } from "./values.ts";

interface Entry {
  readonly position: string;
  readonly label: string;
  readonly reads: readonly Activation[];
}

export interface LayerList {
  /** @throws CrcnnError INVALID_FILE naming the node for what the layer does not take, LIMIT_EXCEEDED. */
  add(entry: Entry & { readonly make: () => Layer }): Activation;
  /** Adds what stands for a layer that cannot run encrypted, with the shape of its output. `reason` follows its name. */
  refuse(entry: Entry & { readonly kind: string; readonly reason: string; readonly shape: Shape }): Activation;
  /** Puts another layer in the place of one. */
  replace(activation: Activation, make: () => Layer): Activation;
  /**
   * The model whose output this is: layers that it does not depend on are left out.
   *
   * @param explain puts the file's name before a refusal.
   */
  toModel(output: Activation, explain: (error: CrcnnError) => CrcnnError): SourceModel;
}

type Made = Entry &
  ({ readonly layer: Layer } | { readonly layer?: undefined; readonly kind: string; readonly reason: string });

export function createLayerList(): LayerList {
  const entries: Made[] = [];

  function push(entry: Made, shape: Shape): Activation {
    if (entries.length === MAX_LAYERS) {
      throw new CrcnnError("LIMIT_EXCEEDED", `the network has more than ${MAX_LAYERS} layers, up to ${entry.label}`);
    }
    if (sizeOf(shape) > MAX_ACTIVATION) {
      throw new CrcnnError(
        "LIMIT_EXCEEDED",
        `${entry.label} gives a tensor of ${shape.join("x")}, more than the ${MAX_ACTIVATION} elements that are read`,
      );
    }
    entries.push(entry);
    return { kind: "activation", source: entries.length - 1, shape };
  }

  function place({ make, ...entry }: Entry & { readonly make: () => Layer }): { entry: Made; shape: Shape } {
    let shape: Shape = [];
    const layer = withLabel(entry.label, () => {
      const made = make();
      shape = made.outputShape(...entry.reads.map((read) => read.shape));
      return made;
    });
    return { entry: { ...entry, layer }, shape };
  }

  return {
    add(wanted) {
      const { entry, shape } = place(wanted);
      return push(entry, shape);
    },
    refuse: ({ shape, ...entry }) => push(entry, shape),
    replace({ source }, make) {
      const { entry, shape } = place({ ...entries[source], make });
      entries[source] = entry;
      return { kind: "activation", source, shape };
    },
    toModel(output, explain) {
      const wanted = new Set([output.source]);
      for (let i = output.source; i >= 0; i--) {
        if (wanted.has(i)) for (const { source } of entries[i].reads) wanted.add(source);
      }
      wanted.delete(MODEL_INPUT);
      const numbers = new Map([...wanted].sort((a, b) => a - b).map((source, index) => [source, index]));
      const layers = [...numbers].map(([source, index]): SourceLayer => {
        const { position, label, reads, ...made } = entries[source];
        const inputs = reads.map((read) => numbers.get(read.source) ?? MODEL_INPUT);
        // A chain is listed as one from a torch file.
        const place = {
          position,
          index,
          ...(inputs.length === 1 && inputs[0] === index - 1 ? {} : { inputs }),
        };
        const name = (kind: string): string => `layer ${index} (${kind}), ${label},`;
        if (made.layer) {
          const { layer } = made;
          const refusal = layer.exactOnly && explain(exactOnlyRefusal(name(layer.kind), layer));
          return { ...place, layer, ...(refusal && { refusal }) };
        }
        const refusal = explain(new CrcnnError("UNSUPPORTED_LAYER", `${name(made.kind)} ${made.reason}`));
        return { ...place, layer: refusedLayer(made.kind, refusal), refusal };
      });
      return { layers };
    },
  };
}
