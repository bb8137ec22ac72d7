/** From what has been decided for each stage to stages with weights: factors that pools leave are taken into the weights that follow. */

import type { Layout } from "../layout.ts";
import type { LoweredStage } from "../lowered.ts";
import type { AffineChoice } from "./affine-choice.ts";
import { materialize } from "./lower-affine.ts";
import { materializePool, type PoolChoice } from "./pool.ts";

/** What has been decided for one stage. */
export type Decision = Pick<LoweredStage, "layers" | "sources"> &
  (
    | { readonly kind: "affine"; readonly choice: AffineChoice }
    | { readonly kind: "pool"; readonly choice: PoolChoice }
    | { readonly kind: "square"; readonly layout: Layout }
  );

/** A value between stages: its slots hold so many times the true values. */
interface ValueState {
  readonly factor: number;
  readonly ciphertexts: number;
}

/** @param input the network's input. */
export function lowerDecisions(
  decisions: readonly Decision[],
  input: ValueState,
): { readonly stages: readonly LoweredStage[]; readonly outputFactor: number } {
  const stages: LoweredStage[] = [];
  const values = [input];
  for (const decision of decisions) {
    const read = decision.sources.map((value) => values[value]);
    stages.push(stageOf(decision, read));
    values.push(resultOf(decision, read[0].factor));
  }
  return { stages, outputFactor: values[values.length - 1].factor };
}

function stageOf(decision: Decision, read: readonly ValueState[]): LoweredStage {
  const { kind, layers, sources } = decision;
  if (kind === "square") return { kind, layers, sources, layout: decision.layout };
  if (kind === "pool") return materializePool(decision.choice, { layers, sources, factor: read[0].factor });
  const factors = read.flatMap(({ factor, ciphertexts }) => new Array<number>(ciphertexts).fill(factor));
  return materialize(decision.choice, { layers, sources, factors });
}

function resultOf(decision: Decision, factor: number): ValueState {
  switch (decision.kind) {
    case "affine":
      return { factor: 1, ciphertexts: decision.choice.output.ciphertexts };
    case "pool":
      return { factor: factor * decision.choice.factor, ciphertexts: decision.choice.output.ciphertexts };
    case "square":
      return { factor: factor ** 2, ciphertexts: decision.layout.ciphertexts };
  }
}
