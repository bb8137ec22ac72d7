/** Tags of ModelProto's fields that a file may continue with after its first: texts, numbers, the graph, the operator sets. */
const NEXT_TAGS: readonly (number | undefined)[] = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42];
const IR_VERSION_TAG = 0x08;
/** Far above any version of the format so far, and below the control characters that begin other files. */
const MAX_IR_VERSION = 0x40;

/** True for content that begins as an ONNX file does, with the version of its format. Whether it is one is for `loadOnnx` to say. */
export function isOnnx(bytes: Uint8Array): boolean {
  const [tag, version, next] = bytes;
  return tag === IR_VERSION_TAG && version !== undefined && version < MAX_IR_VERSION && NEXT_TAGS.includes(next);
}
