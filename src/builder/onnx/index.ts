export { isOnnx, loadOnnx } from "./load.ts";
