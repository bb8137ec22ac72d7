import { test } from "vitest";
import { survive } from "../builder/mutations.ts";

test(
  "100,000 damaged ONNX files: an answer or an error of one line, in bounded time and memory",
  {
    timeout: 3_600_000,
  },
  () => survive(20_240_463, 100_000, "ONNX"),
);
