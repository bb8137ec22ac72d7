/** What every runtime's report must agree with: one made by the TypeScript kernels on one thread of the Node at hand, and PyTorch. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject } from "vitest";
import { readNpy, unbatch } from "../helpers/npy.ts";
import type { Report } from "./programs/lenet1.ts";

/** Of the largest logit: what `compile` promises by default. */
const PRECISION = 1e-3;

/** Made once, however many test files ask for it. */
export function reference(): Report {
  const path = join(inject("project"), "reference.json");
  if (!existsSync(path)) {
    const args = ["main.js", JSON.stringify({ backend: "ts" })];
    writeFileSync(path, execFileSync(process.execPath, args, { cwd: inject("project") }));
  }
  return JSON.parse(readFileSync(path, "utf8"));
}

export function expectAgreement({ hashes, images }: Report): void {
  const expected = reference();
  expect(expected.backend).toBe("ts");
  expect({ hashes, images }).toEqual({ hashes: expected.hashes, images: expected.images });
  const count = inject("count");
  expect(images).toHaveLength(count);
  const recorded = unbatch(readNpy("models/lenet1-square/lenet1-square.logits.npy")).slice(0, count);
  for (const [i, { data }] of recorded.entries()) {
    const largest = Math.max(...data.map(Math.abs));
    const error = Math.max(...data.map((logit, k) => Math.abs(logit - images[i]!.logits[k]!)));
    expect(error).toBeLessThan(PRECISION * largest);
  }
}
