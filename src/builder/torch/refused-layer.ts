import type { CrcnnError } from "../../errors/index.ts";
import type { Layer } from "../../plan/index.ts";

/** What stands for a layer that cannot run encrypted: every use of it throws the refusal. */
export function refusedLayer(kind: string, refusal: CrcnnError): Layer {
  const refuse = (): never => {
    throw refusal;
  };
  return Object.freeze({ kind, options: Object.freeze({}), outputShape: refuse, forward: refuse, algebra: refuse });
}
