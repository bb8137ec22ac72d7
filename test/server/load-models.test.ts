import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadModels } from "../../src/server/node/load-models.ts";

const fixture = (path: string): URL => new URL(`../fixtures/${path}`, import.meta.url);

test("a model with a layer that cannot run encrypted is left out with the reason, the others are served", async () => {
  const folder = mkdtempSync(join(tmpdir(), "crcnn-models-"));
  try {
    copyFileSync(fixture("variants/layernorm.pt"), join(folder, "norm.pt"));
    await expect(loadModels(folder)).rejects.toThrow(
      /holds no model that can be served: norm\.pt: layer 0 \(LayerNorm\)/,
    );
    copyFileSync(fixture("models/linear/linear.legacy.pt"), join(folder, "old.pt"));
    const { models, skipped } = await loadModels(folder);
    expect([...models.keys()]).toEqual(["old"]);
    expect(skipped.map(({ code }) => code)).toEqual(["UNSUPPORTED_LAYER"]);
    // What is left to the client is settled when a plan is asked for.
    copyFileSync(fixture("variants/act-relu.pt"), join(folder, "relu.pt"));
    expect([...(await loadModels(folder)).models.keys()]).toEqual(["old", "relu"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
