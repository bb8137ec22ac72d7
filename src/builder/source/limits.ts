/** What the readers of models accept at most, whatever the file's format. Networks that can run encrypted stay far below. */

/** Size of the file: 256 MiB. */
export const MAX_FILE_BYTES: number = 2 ** 28;

/** Weights of one tensor, and of all layers together. */
export const MAX_ELEMENTS: number = 2 ** 25;

/** Axes of a tensor. */
export const MAX_AXES = 8;

/** Layers of a network, containers included. */
export const MAX_LAYERS = 1_000;
