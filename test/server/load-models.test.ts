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

test("weights are served with the architecture beside them, whatever form they have", async () => {
  const folder = mkdtempSync(join(tmpdir(), "crcnn-models-"));
  try {
    copyFileSync(fixture("models/lenet1-square/lenet1-square.safetensors"), join(folder, "lenet.safetensors"));
    copyFileSync(fixture("architectures/lenet1-square.json"), join(folder, "lenet.architecture.json"));
    copyFileSync(fixture("old-torch/linear.torch1.13.1.pth"), join(folder, "linear.pth"));
    copyFileSync(fixture("models/linear/linear.legacy.pt"), join(folder, "alone.pt"));
    copyFileSync(fixture("models/linear/linear.legacy.pt"), join(folder, "alone.safetensors"));
    copyFileSync(fixture("architectures/lenet1-square.json"), join(folder, "broken.architecture.json"));
    copyFileSync(fixture("models/tenseal-net/tenseal-net.pth"), join(folder, "broken.pth"));
    const { models, skipped } = await loadModels(folder);
    expect([...models].map(([name, { file, summary }]) => [name, file, summary.layers.length])).toEqual([
      ["alone", "alone.pt", 2],
      ["lenet", "lenet.safetensors", 8],
    ]);
    expect(skipped.map(({ code, message }) => `${code} ${message.slice(0, 60)}`)).toEqual([
      "INVALID_FILE alone.safetensors: alone.pt is served as alone already; rena",
      'STATE_MISMATCH broken.pth: its entry "0.weight" has the shape 4x1x7x7, arch',
      "UNSUPPORTED_FILE linear.pth: it holds a state_dict (weights without layers), ",
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
