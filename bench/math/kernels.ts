/** One limb at a time: the WebAssembly kernels against those in TypeScript. */

import type { Case } from "../measure.ts";
import { KERNEL_CASES, type KernelCase } from "./cases.ts";
import { createStage, RING_DEGREE, type Stage } from "./stage.ts";

const WORD_BYTES = 4;

export function kernelCases(): Case[] {
  const wasm = createStage("wasm");
  const typescript = createStage("ts");
  return KERNEL_CASES.map((kernel) => ({
    name: kernel.name,
    params: `N=${RING_DEGREE}, one limb of 30 bits`,
    ours: () => kernel.run(wasm),
    peer: "our TypeScript kernels",
    theirs: () => kernel.run(typescript),
    verify: () => {
      for (const stage of [wasm, typescript]) verifyKernel(kernel, stage);
    },
    bytes: kernel.limbs * RING_DEGREE * WORD_BYTES,
  }));
}

/** Runs a kernel once, leaving its inputs as they were. */
function verifyKernel({ run, check, inPlace }: KernelCase, stage: Stage): void {
  const original = stage.read(stage.input(0));
  const integers = new Map<number, bigint[]>();
  const inputs = (index: number): bigint[] => {
    let found = integers.get(index);
    if (!found) {
      found = Array.from(index === 0 ? original : stage.read(stage.input(index)), BigInt);
      integers.set(index, found);
    }
    return found;
  };
  run(stage);
  const output = Array.from(stage.read(inPlace ? stage.input(0) : stage.output), BigInt);
  stage.write(stage.input(0), original);
  try {
    check(stage, inputs, output);
  } catch (error) {
    throw new Error(`the ${stage.kernels.backend} kernel`, { cause: error });
  }
}
