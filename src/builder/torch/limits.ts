/** What the reader of torch files accepts at most. Networks that can run encrypted stay far below. */

/** Size of the file: 256 MiB. */
export const MAX_FILE_BYTES: number = 2 ** 28;

/** Entries of the zip archive: a file has one a tensor and a handful of its own. */
export const MAX_ZIP_ENTRIES = 10_000;

/** Size of `data.pkl`, which holds the structure and no weights: 16 MiB. */
export const MAX_PICKLE_BYTES: number = 2 ** 24;

/** Pickle opcodes, and items that they move: bounds time, stack and memo. A layer takes about a hundred. */
export const MAX_PICKLE_STEPS: number = 2 ** 22;

/** Weights of one tensor, and of all layers together. */
export const MAX_ELEMENTS: number = 2 ** 25;

/** Axes of a tensor. */
export const MAX_AXES = 8;

/** Modules on the way through a model, containers included. */
export const MAX_LAYERS = 1_000;
