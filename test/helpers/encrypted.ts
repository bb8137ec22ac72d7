import { readFileSync } from "node:fs";
import { type CompiledNetwork, readModel, type SourceModel } from "../../src/builder/index.ts";
import { createOwner, type KeyOwner } from "../../src/owner/index.ts";
import { freeProgram, prepareProgram, runEncrypted, type Tensor } from "../../src/plan/index.ts";

/** A model under test/fixtures. */
export function loadFixture(path: string): SourceModel {
  return readModel(readFileSync(new URL(`../fixtures/${path}`, import.meta.url)), { name: path });
}

/** Runs a compiled network of any number of segments on inputs, refreshing between segments, with one owner for all. */
export async function runCompiled(
  { manifest, plans, schedules }: CompiledNetwork,
  inputs: readonly Tensor[],
): Promise<{ outputs: Tensor[]; owner: KeyOwner }> {
  const owner = await createOwner(manifest);
  const programs = plans.map((plan, i) => prepareProgram(plan, schedules[i]!, owner.evaluator.encoder));
  const outputs = inputs.map((input) =>
    programs.reduce((tensor, program, i) => {
      const segment = manifest.segments[i]!;
      const encrypted = owner.encryptInput(segment, tensor);
      return owner.decryptOutput(segment, runEncrypted(program, owner.evaluator.operations, encrypted));
    }, input),
  );
  programs.forEach(freeProgram);
  return { outputs, owner };
}

export const argmax = (values: Float64Array): number => values.indexOf(Math.max(...values));
