import { expect, test } from "vitest";
import { parseTesterConfiguration } from "../../src/tester/index.ts";
import { expectRefusal } from "../helpers/rlwe.ts";

const SEED = { m: 2048, p: 13513511, sec: 128, base: 2 };
const parse = (value: unknown) => parseTesterConfiguration(JSON.stringify(value), "config.json");

test("PyCrCNN's file as it stands", () => {
  const text =
    '{ "encryption_parameters" : [ { "m": 2048, "p": 13513511, "sec": 128, "base": 2, "rencrypt_positions": [ ] } ], "debug" : "y" }';
  expect(parseTesterConfiguration(text, "config.json")).toEqual({
    sets: [
      {
        scheme: "bfv",
        source: { ...SEED, rencrypt_positions: [] },
        rencryptPositions: [],
        encryptionParameters: SEED,
      },
    ],
    debug: true,
    layers: undefined,
    dataset: undefined,
    modelPath: undefined,
    maxThreads: undefined,
  });
});

test("all fields, and sets of CKKS beside its own", () => {
  const found = parse({
    encryption_parameters: [SEED, { scheme: "ckks", objective: "throughput", sec: 192, precision: 0.01 }, {}],
    debug: "n",
    layers: [2, 3],
    dataset: "MNIST",
    model_path: "model.pt",
    max_threads: 3,
  });
  expect(found).toMatchObject({ debug: false, layers: [2, 3], dataset: "MNIST", modelPath: "model.pt", maxThreads: 3 });
  expect(found.sets.map(({ scheme }) => scheme)).toEqual(["bfv", "ckks", "ckks"]);
  expect(found.sets[1]).toMatchObject({ objective: "throughput", security: 192, precision: 0.01 });
  expect(found.sets[2]).toMatchObject({ objective: "latency", security: undefined, rencryptPositions: [] });
});

const withSet = (set: unknown): unknown => ({ encryption_parameters: [SEED, set] });
const withField = (field: string, value: unknown): unknown => ({ encryption_parameters: [SEED], [field]: value });

test.each<[unknown, string]>([
  [[], "it is not a JSON object"],
  [{}, "encryption_parameters is missing"],
  [{ encryption_parameters: SEED }, "encryption_parameters must be a list"],
  [{ encryption_parameters: [] }, "encryption_parameters must be a list"],
  [{ encryption_parameters: new Array(257).fill(SEED) }, "encryption_parameters must be a list of 1 to 256"],
  [withSet(7), "encryption_parameters[1] must be an object"],
  [withSet(null), "encryption_parameters[1] must be an object"],
  [withSet({ ...SEED, p: undefined }), "encryption_parameters[1].p is missing"],
  [withSet({ p: 3 }), "encryption_parameters[1].m is missing"],
  [withSet({ scheme: "bfv" }), "encryption_parameters[1].m is missing"],
  [withSet({ ...SEED, m: "2048" }), 'encryption_parameters[1].m must be a number, got "2048"'],
  [withSet({ ...SEED, base: null }), "encryption_parameters[1].base must be a number, got null"],
  [withSet({ ...SEED, rencrypt_position: [] }), "encryption_parameters[1].rencrypt_position is unknown"],
  [withSet({ ...SEED, rencrypt_positions: 3 }), "encryption_parameters[1].rencrypt_positions must be a list"],
  [withSet({ ...SEED, rencrypt_positions: [-1] }), "encryption_parameters[1].rencrypt_positions must be a list"],
  [withSet({ ...SEED, rencrypt_positions: [1.5] }), "encryption_parameters[1].rencrypt_positions must be a list"],
  [withSet({ scheme: "bgv" }), 'encryption_parameters[1].scheme must be "bfv" or "ckks", got "bgv"'],
  [withSet({ scheme: "ckks", m: 2048 }), "encryption_parameters[1].m is unknown"],
  [withSet({ precision: 1 }), "encryption_parameters[1].precision must be a number between 0 and 1"],
  [withSet({ sec: 100 }), "encryption_parameters[1].sec must be 128, 192 or 256, got 100"],
  [withSet({ objective: "speed" }), "encryption_parameters[1].objective must be"],
  [withField("debug", true), 'debug must be "y" or "n", got true'],
  [withField("debug", "yes"), 'debug must be "y" or "n", got "yes"'],
  [withField("layers", []), "layers must be a list of layer numbers"],
  [withField("layers", "0-3"), 'layers must be a list of layer numbers, as [0, 1, 2, 3], got "0-3"'],
  [withField("layers", [0, -1]), "layers must be a list of layer numbers"],
  [withField("layers", [0, 1, 3]), "layers must go from the smallest to the largest without a gap, got 3 after 1"],
  [withField("layers", [1, 0]), "layers must go from the smallest to the largest without a gap, got 0 after 1"],
  [withField("dataset", 7), "dataset must be the name of a file or data set, got 7"],
  [withField("model_path", ""), 'model_path must be the name of a file, got ""'],
  [withField("max_threads", 0), "max_threads must be an integer from 1 to 64, got 0"],
  [withField("max_threads", "4"), 'max_threads must be an integer from 1 to 64, got "4"'],
  [withField("verbose\nly", 1), "verbose ly is unknown; there are encryption_parameters, debug"],
])("broken: %j", (value, message) => {
  let thrown: unknown;
  try {
    parse(value);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: "INVALID_FILE" });
  const text = (thrown as Error).message;
  expect(text.startsWith(`config.json: ${message}`), text).toBe(true);
  expect(text).not.toContain("\n");
  expect(text.length).toBeLessThan(250);
});

test("what is no JSON", () => {
  expectRefusal(() => parseTesterConfiguration("{", "config.json"), "INVALID_FILE", /^config\.json: it is not JSON/);
});
