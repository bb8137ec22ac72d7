import { test } from "vitest";
import { survive } from "../builder/mutations.ts";

test("120,000 damaged files: an answer or an error of one line, in bounded time and memory", () => {
  survive(13_513_511, 20_000);
});
