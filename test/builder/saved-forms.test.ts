import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readModel, requireSupported, runModel } from "../../src/builder/index.ts";
import { architectureFixture } from "../helpers/architectures.ts";
import { batchFixture, fixture, refusal, relativeError } from "./torch/fixtures.ts";

const ROOT = new URL("../fixtures/", import.meta.url);
const TOLERANCE = 1e-12;
/** Weights alone: by the end of the file's name. */
const STATE = /\.(pth|safetensors)$/;
/** Weights that were rounded on the way to the file: they have logits of their own. */
const ROUNDED = /\.(f16|bf16|f64)\.pth$/;
/** Activations that run in the clear alone, until they are fitted or left to the client. */
const EXACT_ONLY = /^lenet5-(relu|silu)-bn\./;

function formsIn(folder: string): string[] {
  return readdirSync(new URL(folder, ROOT))
    .filter((file) => /\.(pt|pth|safetensors)$/.test(file))
    .map((file) => `${folder}/${file}`);
}

const forms = [...readdirSync(new URL("models/", ROOT)).map((name) => `models/${name}`), "old-torch"].flatMap(formsIn);

function logitsOf(name: string, file: string): string {
  const rounded = ROUNDED.exec(file);
  return `models/${name}/${name}${rounded ? `.${rounded[1]}` : ""}.logits.npy`;
}

describe("every saved form of every trained model gives PyTorch's logits", () => {
  test("there are as many as were supplied", () => {
    expect(forms).toHaveLength(42);
    expect(forms.filter((form) => STATE.test(form))).toHaveLength(19);
  });

  test.each(forms)("%s", (form) => {
    const file = form.slice(form.lastIndexOf("/") + 1);
    const [name] = file.split(".") as [string];
    const architecture = STATE.test(file) ? architectureFixture(name) : undefined;
    const model = readModel(fixture(form), { architecture, name: file });
    if (EXACT_ONLY.test(file)) {
      expect(refusal(() => requireSupported(model)).message).toMatch(
        /layer 2 \((ReLU|SiLU)\) does not run encrypted by itself/,
      );
    } else requireSupported(model);
    const set = ["fashion", "cifar-like"].find((prefix) => name.startsWith(prefix)) ?? "mnist";
    const logits = batchFixture(logitsOf(name, file));
    for (const [i, input] of batchFixture(`samples/${set}16.input.npy`).entries()) {
      expect(relativeError(runModel(model, input), logits[i])).toBeLessThan(TOLERANCE);
    }
  });

  test("rounded weights do not give the logits of others", () => {
    const architecture = architectureFixture("lenet1-square");
    const [input] = batchFixture("samples/mnist16.input.npy");
    const [logits] = batchFixture(logitsOf("lenet1-square", "lenet1-square.pth"));
    for (const type of ["f16", "bf16"]) {
      const model = readModel(fixture(`models/lenet1-square/lenet1-square.${type}.pth`), { architecture });
      expect(relativeError(runModel(model, input), logits)).toBeGreaterThan(1e-5);
    }
  });
});

describe("weights without an architecture", () => {
  test.each(forms.filter((form) => STATE.test(form)))("%s is refused with what to pass", (form) => {
    const error = refusal(() => readModel(fixture(form), { name: "weights" }));
    expect(error.code).toBe("UNSUPPORTED_FILE");
    expect(error.message).toMatch(/^weights: .*architecture.*--architecture FILE\.json.*torch\.save\(model, path\)$/);
  });
});

test("a whole network of a class of its own is read for its weights where an architecture is given", () => {
  // The class is user code; here a whole Sequential stands for it, since the reader does not look at the class.
  const whole = fixture("models/fashion-cnn-bn-square/fashion-cnn-bn-square.pt");
  const model = readModel(whole, { architecture: architectureFixture("fashion-cnn-bn-square") });
  const [input] = batchFixture("samples/fashion16.input.npy");
  expect(runModel(model, input)).toEqual(runModel(readModel(whole), input));
});
