export { loadTorch } from "./load.ts";
