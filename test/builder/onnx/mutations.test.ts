import { test } from "vitest";
import { survive } from "../mutations.ts";

test("3,000 damaged ONNX files: an answer or an error of one line, in bounded time and memory", () => {
  survive(7_212_126, 3_000, "ONNX");
});
