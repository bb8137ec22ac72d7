import { test } from "vitest";
import { survive } from "./mutations.ts";

test("thousands of damaged files: an answer or an error of one line, in bounded time and memory", () => {
  survive(20_240_463, 800);
});
