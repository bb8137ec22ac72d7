/** The compiled kernels, from the base64 that stands beside their source. */

import { KERNELS_BASE64 } from "./kernels.gen.ts";

/** Functions of the module. Addresses are in bytes, counts in words; see `assembly/` for ranges. */
export interface WasmExports {
  forwardNtt(limb: number, roots: number, quotients: number, ringDegree: number, prime: number): void;
  inverseNtt(
    limb: number,
    roots: number,
    quotients: number,
    ringDegree: number,
    prime: number,
    scale: number,
    scaleQuotient: number,
    scaledRoot: number,
    scaledRootQuotient: number,
  ): void;
  add(out: number, left: number, right: number, count: number, prime: number): void;
  subtract(out: number, left: number, right: number, count: number, prime: number): void;
  negate(out: number, limb: number, count: number, prime: number): void;
  multiplyScalar(out: number, limb: number, scalar: number, quotient: number, count: number, prime: number): void;
  subtractMultiplyScalar(
    out: number,
    left: number,
    right: number,
    scalar: number,
    quotient: number,
    count: number,
    prime: number,
  ): void;
  reduceSigned(limb: number, count: number, prime: number): void;
  permute(out: number, limb: number, permutation: number, count: number): void;
  dotProduct(out: number, pairs: number, terms: number, count: number, constants: number): void;
  liftSingle(
    out: number,
    source: number,
    count: number,
    half: number,
    shift: number,
    prime: number,
    unitQuotient: number,
  ): void;
  convertBasis(out: number, sources: number, terms: number, count: number, shift: number, constants: number): void;
  sampleUniform(out: number, count: number, prime: number, state: number): void;
  packBits(out: number, limb: number, count: number, bits: number): void;
  unpackBits(out: number, from: number, count: number, bits: number): number;
}

let bytes: Uint8Array<ArrayBuffer> | undefined;

function moduleBytes(): Uint8Array<ArrayBuffer> {
  bytes ??= Uint8Array.from(atob(KERNELS_BASE64), (character) => character.charCodeAt(0));
  return bytes;
}

/** True where this engine runs the module: WebAssembly with SIMD, and permission to compile at run time. */
export function supportsWasmKernels(): boolean {
  return typeof WebAssembly === "object" && WebAssembly.validate(moduleBytes());
}

/** Instantiates the kernels on a memory. The module is small enough to be compiled synchronously on any thread. */
export function instantiateKernels(memory: WebAssembly.Memory): WasmExports {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes()), { env: { memory } });
  return instance.exports as unknown as WasmExports;
}
