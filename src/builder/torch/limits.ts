/** What the reader of torch files accepts at most, beyond the limits of all readers. */

/** Entries of the zip archive: a file has one a tensor and a handful of its own. */
export const MAX_ZIP_ENTRIES = 10_000;

/** Size of `data.pkl`, which holds the structure and no weights: 16 MiB. */
export const MAX_PICKLE_BYTES: number = 2 ** 24;

/** Pickle opcodes, and items that they move: bounds time, stack and memo. A layer takes about a hundred. */
export const MAX_PICKLE_STEPS: number = 2 ** 22;
