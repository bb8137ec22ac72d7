/** Prices of slot operations, by level, in microseconds: what a layout search minimises. */
export interface SlotCosts {
  /** Decomposing a ciphertext once, before any number of hoisted rotations of it. */
  decompose(level: number): number;
  /** One hoisted rotation of an already decomposed ciphertext. */
  hoistedRotation(level: number): number;
  /** One rotation by itself: a giant step, or a fold in radix 2. */
  rotation(level: number): number;
  /** One product of a ciphertext with a diagonal, added to a sum. */
  diagonal(level: number): number;
  rescale(level: number): number;
  /** Square of a ciphertext with its relinearization. */
  square(level: number): number;
  /** Price of one more distinct rotation key at this level: bytes to make, send and keep, expressed as time. */
  key(level: number): number;
  /** Price of making the whole chain one level longer. */
  extraLevel: number;
}
