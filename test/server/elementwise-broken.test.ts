import { describe, test } from "vitest";
import { type ComputeRequest, encodeBase64 } from "../../src/protocol/index.ts";
import { serializeEvaluationKeys } from "../../src/rlwe/index.ts";
import { cut, encrypted, openParties, requestOf, SEED, spoilt } from "./elementwise-party.ts";
import { expectFailure } from "./wire.ts";

const { seed, larger, post } = await openParties();

const BROKEN: readonly [
  name: string,
  change: (body: ComputeRequest) => unknown,
  status: number,
  code: string,
  reason: RegExp,
][] = [
  ["no JSON", () => "{", 400, "INVALID_MESSAGE", /^the body is not JSON/],
  ["nothing", () => "", 400, "INVALID_MESSAGE", /^the body is not JSON/],
  ["no object", () => [], 400, "INVALID_MESSAGE", /^the body is not a JSON object/],
  ["nesting without an end", () => `{"data":${"[".repeat(1e6)}`, 413, "LIMIT_EXCEEDED", /^the body has more than/],
  [
    "a field too many",
    (body) => ({ ...body, layer: 1 }),
    400,
    "INVALID_MESSAGE",
    /^the field "layer" is unknown; there are encryption_parameters, net/,
  ],
  [
    "no parameters",
    ({ encryption_parameters: _, ...rest }) => rest,
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters is missing/,
  ],
  [
    "two sets",
    (body) => ({ ...body, encryption_parameters: [SEED, SEED] }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters must be one set/,
  ],
  [
    "no m",
    (body) => ({ ...body, encryption_parameters: { p: 7, sec: 128, base: 2 } }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters\.m is missing/,
  ],
  [
    "an m as text",
    (body) => ({ ...body, encryption_parameters: { ...SEED, m: "2048" } }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters\.m must be an integer/,
  ],
  [
    "a wrong m",
    (body) => ({ ...body, encryption_parameters: { ...SEED, m: 2047 } }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters: m must .* 2047/,
  ],
  [
    "a p that leaves no budget",
    (body) => ({ ...body, encryption_parameters: { ...SEED, m: 1024 } }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters: p 13513511/,
  ],
  [
    "a weaker security",
    (body) => ({ ...body, encryption_parameters: { ...SEED, sec: 80 } }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters: sec must/,
  ],
  [
    "a base of 1",
    (body) => ({ ...body, encryption_parameters: { ...SEED, base: 1 } }),
    400,
    "INVALID_MESSAGE",
    /^encryption_parameters: base must/,
  ],
  ["no net", ({ net: _, ...rest }) => rest, 400, "INVALID_MESSAGE", /^net is missing/],
  ["a net that is a number", (body) => ({ ...body, net: 7 }), 400, "INVALID_MESSAGE", /^net must be a model's name/],
  [
    "a net without an end",
    (body) => ({ ...body, net: "a".repeat(300) }),
    400,
    "INVALID_MESSAGE",
    /^net must be .* 256/,
  ],
  [
    "an unknown net",
    (body) => ({ ...body, net: "VGG" }),
    404,
    "UNKNOWN_MODEL",
    /^net "VGG" is not served; there are: linear, square/,
  ],
  ["an object's own names", (body) => ({ ...body, net: "__proto__" }), 404, "UNKNOWN_MODEL", /^net "__proto__"/],
  ["no layers", (body) => ({ ...body, layers: [] }), 400, "INVALID_MESSAGE", /^layers must be a list of 1 to/],
  ["layers as text", (body) => ({ ...body, layers: "0" }), 400, "INVALID_MESSAGE", /^layers must be a list/],
  [
    "a layer as text",
    (body) => ({ ...body, layers: [0, "1"] }),
    400,
    "INVALID_MESSAGE",
    /^layers\[1\] must be a layer's number/,
  ],
  [
    "a negative layer",
    (body) => ({ ...body, layers: [-1, 0] }),
    400,
    "INVALID_MESSAGE",
    /^layers\[0\] must be a layer's number/,
  ],
  ["a gap", (body) => ({ ...body, layers: [0, 2] }), 400, "INVALID_MESSAGE", /^layers must go from .* without a gap/],
  ["layers backwards", (body) => ({ ...body, layers: [1, 0] }), 400, "INVALID_MESSAGE", /^layers must go from/],
  [
    "a layer too many",
    (body) => ({ ...body, layers: [0, 1, 2, 3] }),
    400,
    "INVALID_MESSAGE",
    /^layers must be numbers from 0 to 2/,
  ],
  [
    "a product without a budget",
    (body) => ({ ...body, layers: [0, 1] }),
    422,
    "NO_PARAMETERS",
    /^layer 1 \(Square\): .* budget/,
  ],
  ["no data", ({ data: _, ...rest }) => rest, 400, "INVALID_MESSAGE", /^data must be an array/],
  [
    "data that is one string",
    (body) => ({ ...body, data: (body.data as string[])[0] }),
    400,
    "INVALID_MESSAGE",
    /^data must be an array/,
  ],
  ["empty data", (body) => ({ ...body, data: [] }), 400, "INVALID_MESSAGE", /^data is empty/],
  [
    "too many axes",
    (body) => ({ ...body, data: [[[[[body.data]]]]] }),
    400,
    "INVALID_MESSAGE",
    /^data has more than the 4 axes/,
  ],
  [
    "ragged data",
    (body) => ({ ...body, data: [body.data, (body.data as string[]).slice(1)] }),
    400,
    "INVALID_MESSAGE",
    /^data\[1\] has 11 entries/,
  ],
  [
    "data of another depth",
    (body) => ({ ...body, data: [...(body.data as string[]).slice(1), ["a"]] }),
    400,
    "INVALID_MESSAGE",
    /^data\[11\] must be a base64/,
  ],
  [
    "too many ciphertexts",
    (body) => ({ ...body, data: new Array(20_000).fill("") }),
    413,
    "LIMIT_EXCEEDED",
    /^data has 20000 ciphertexts, at most 16384/,
  ],
  [
    "another shape",
    (body) => ({ ...body, data: (body.data as string[]).slice(1) }),
    422,
    "SHAPE_MISMATCH",
    /^layer 0 \(Linear\).* 11/,
  ],
  [
    "a ciphertext cut off",
    (body) => ({ ...body, data: cut(body.data) }),
    400,
    "INVALID_MESSAGE",
    /^element 3 of data has 18156 characters, .* 18160 or 36208/,
  ],
  [
    "no base64",
    (body) => ({ ...body, data: spoilt(body.data) }),
    400,
    "INVALID_MESSAGE",
    /^element 3 of data must be base64/,
  ],
  [
    "a ciphertext of other parameters",
    (body) => ({ ...body, data: encrypted(larger) }),
    400,
    "INVALID_MESSAGE",
    /^element 0 of data has \d+ characters, a ciphertext of these/,
  ],
  [
    "another p of the same length",
    (body) => ({ ...body, encryption_parameters: { ...SEED, p: 13513513 } }),
    409,
    "FOREIGN_OBJECT",
    /^element 0 of data: it was made under other encryption parameters/,
  ],
  [
    "keys where there can be none",
    (body) => ({ ...body, evaluation_keys: "AAAA" }),
    400,
    "INVALID_MESSAGE",
    /^evaluation_keys cannot be/,
  ],
  ["a public key that is none", (body) => ({ ...body, public_key: "AAAA" }), 400, "INVALID_MESSAGE", /^public_key: /],
  [
    "a public key that is no base64",
    (body) => ({ ...body, public_key: "?" }),
    400,
    "INVALID_MESSAGE",
    /^public_key must be base64/,
  ],
  [
    "a public key that is a number",
    (body) => ({ ...body, public_key: 1 }),
    400,
    "INVALID_MESSAGE",
    /^public_key must be a base64/,
  ],
];

describe("a broken body is one line that names the field", () => {
  test.each(BROKEN)("%s", async (_, change, status, code, reason) => {
    const body = change(requestOf(seed, [0]));
    await expectFailure(await post(body), status, code as never, reason);
  });

  test("evaluation keys of another length, of other parameters, or damaged", async () => {
    const { context, evaluationKeys } = larger.owner;
    larger.owner.addKeys({ relinearization: true, rows: [1] });
    const both = serializeEvaluationKeys(context, evaluationKeys);
    const one = serializeEvaluationKeys(context, { ...evaluationKeys, galois: new Map() });
    const galois = serializeEvaluationKeys(context, { ...evaluationKeys, relinearization: undefined });
    const damaged = one.slice().fill(255, one.length - 64);
    const foreign = one.slice();
    foreign[8] = 255 - foreign[8]!;
    const withKeys = (keys: Uint8Array): Promise<Response> =>
      post(requestOf(larger, [0, 1, 2], { evaluation_keys: encodeBase64(keys) }));
    await expectFailure(await withKeys(both), 400, "INVALID_MESSAGE", /^evaluation_keys has \d+ characters/);
    await expectFailure(await withKeys(galois), 422, "MISSING_KEY");
    await expectFailure(await withKeys(damaged), 400, "INVALID_MESSAGE", /^evaluation_keys: residue/);
    await expectFailure(await withKeys(foreign), 409, "FOREIGN_OBJECT", /^evaluation_keys: it was made/);
  });
});
