/** What the reader of ONNX files accepts at most, beside the limits of all readers of models. */

/** Protobuf fields that are looked at in a whole file, skipped ones included: bounds time. A node takes about ten. */
export const MAX_FIELDS: number = 2 ** 20;

/** Nodes of the graph. */
export const MAX_NODES = 10_000;

/** Elements of a tensor of integers: those are shapes and axes. */
export const MAX_INTEGERS = 1_024;

/** Elements of one image's tensor on its way through the network. */
export const MAX_ACTIVATION: number = 2 ** 22;

/** Elements of all constants that are made while reading, which a small file can ask for. */
export const MAX_MADE: number = 2 ** 22;

/** Operator sets that are read. */
export const OLDEST_OPSET = 7;
export const NEWEST_OPSET = 21;
