export { readCifar10 } from "./cifar10.ts";
export { type IdxArray, readIdx } from "./idx.ts";
export { type ImageTensor, MAX_AXES, MAX_VALUES } from "./image-tensor.ts";
export * from "./normalize.ts";
export { readNpy } from "./npy.ts";
export * from "./read-images.ts";
export * from "./read-labels.ts";
