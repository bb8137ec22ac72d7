/** The kernels' module, for whichever way this runtime takes WebAssembly. */

import { compileKernels } from "#wasm-module";

/** What the modules behind the `#wasm-module` import offer: the build for shared or unshared memory. Throws where it may not be compiled. */
export type CompileKernels = (shared: boolean) => WebAssembly.Module;

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
  permute(out: number, limb: number, places: number, count: number): void;
  dotProduct(out: number, pairs: number, terms: number, count: number, constants: number): void;
  weightedSums(program: number, inputs: number, outputs: number, scratch: number, count: number): void;
  dotProductPair(
    out0: number,
    out1: number,
    initial0: number,
    initial1: number,
    list: number,
    terms: number,
    count: number,
    constants: number,
    places: number,
  ): void;
  liftSingle(
    out: number,
    source: number,
    count: number,
    half: number,
    shift: number,
    multiple: number,
    prime: number,
    unitQuotient: number,
  ): void;
  liftDigits(out: number, digits: number, terms: number, count: number, multiple: number, prime: number): void;
  combineLimbs(out: number, sources: number, terms: number, count: number, constants: number): void;
  roundedSum(low: number, high: number, sources: number, terms: number, count: number): void;
  sampleUniform(out: number, count: number, prime: number, state: number): void;
  packBits(out: number, limb: number, count: number, bits: number): void;
  unpackBits(out: number, from: number, count: number, bits: number): number;
}

let unsharedModule: WebAssembly.Module | undefined;
let supported: boolean | undefined;

/** True where this engine runs the module: WebAssembly with SIMD, and permission to compile it where it is not compiled beforehand. */
export function supportsWasmKernels(): boolean {
  if (supported !== undefined) return supported;
  try {
    // Validating would not do: a content security policy refuses the compilation of a valid module.
    unsharedModule = compileKernels(false);
    supported = true;
  } catch {
    supported = false;
  }
  return supported;
}

/**
 * Instantiates the kernels on a memory, shared or not: two builds of one source. They are small enough to be compiled synchronously on any
 * thread.
 */
export function instantiateKernels(memory: WebAssembly.Memory): WasmExports {
  const shared = typeof SharedArrayBuffer === "function" && memory.buffer instanceof SharedArrayBuffer;
  if (!shared) unsharedModule ??= compileKernels(false);
  const module = shared ? compileKernels(true) : (unsharedModule as WebAssembly.Module);
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as WasmExports;
}
