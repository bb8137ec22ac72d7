export { isOnnx } from "./is-onnx.ts";
export { loadOnnx } from "./load.ts";
