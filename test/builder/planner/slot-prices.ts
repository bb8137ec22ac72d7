/** Prices of slot operations for tests: a SIMD kernel's, a TypeScript kernel's, and rotations alone. */

import type { SlotCosts } from "../../../src/plan/index.ts";

/** Measured with 128-bit SIMD kernels at N = 8192; 2.2 times as much for each doubling. Levels make no difference. */
export function simdPrices(slots: number): SlotCosts {
  const factor = 2.2 ** Math.log2(slots / 4096);
  const flat = (microseconds: number) => () => microseconds * factor;
  return {
    decompose: flat(150),
    hoistedRotation: flat(100),
    rotation: flat(950),
    diagonal: flat(12),
    rescale: flat(234),
    square: flat(980),
    key: () => 0,
    extraLevel: 2000 * factor,
  };
}

/** TypeScript kernels at N = 8192: 80 microseconds a limb's transform, 10 a limb's product. */
export const typescriptPrices: SlotCosts = {
  decompose: (level) => (level + 1) * 80 * (level + 2),
  hoistedRotation: (level) => (level + 1) * (level + 2) * 20 + (2 + 2 * (level + 1)) * 80,
  rotation: (level) => typescriptPrices.decompose(level) + typescriptPrices.hoistedRotation(level),
  diagonal: (level) => 2 * (level + 1) * 10,
  rescale: (level) => 2 * (1 + level) * 80 * 1.2,
  square: (level) => typescriptPrices.rotation(level),
  key: (level) => (300 * (level + 1)) / 6,
  extraLevel: 5000,
};

/** One a rotation, and next to nothing for the rest. */
export const rotationCount: SlotCosts = {
  decompose: () => 0,
  hoistedRotation: () => 1,
  rotation: () => 1,
  diagonal: () => 1e-4,
  rescale: () => 0,
  square: () => 0,
  key: () => 1e-3,
  extraLevel: 20,
};
