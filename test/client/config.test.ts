import { describe, expect, test } from "vitest";
import { parseClientConfig } from "../../src/client/index.ts";

/** The example of PyCrCNN's documentation, to the letter. */
const SEED = `{ "address" : "http://127.0.0.1:5000/compute", "encryption_parameters" : [ { "m": 2048, "p": 13513511, "sec": 128, "base": 2 } ], "net" : "MNIST", "layers" : [0, 1, 2, 3] }`;
const parameters = { m: 2048, p: 13513511, sec: 128, base: 2 };

function parse(changes: Record<string, unknown> = {}): ReturnType<typeof parseClientConfig> {
  return parseClientConfig(JSON.stringify({ ...JSON.parse(SEED), ...changes }), "client.json");
}

test("the seed's client file is read as it stands", () => {
  expect(parseClientConfig(SEED, "client.json")).toEqual({
    address: "http://127.0.0.1:5000/compute",
    encryptionParameters: { ...parameters, rencrypt_positions: [] },
    net: "MNIST",
    layers: [0, 1, 2, 3],
    maxThreads: 1,
    image: undefined,
    debug: false,
  });
});

test("what may be left out is read, too", () => {
  const positions = { ...parameters, rencrypt_positions: [2, 3] };
  const config = parse({ encryption_parameters: [positions], max_threads: 4, image: "digit.png", debug: "y" });
  expect(config).toMatchObject({ encryptionParameters: positions, maxThreads: 4, image: "digit.png", debug: true });
});

const set = (changes: Record<string, unknown>): Record<string, unknown> => ({
  encryption_parameters: [{ ...parameters, ...changes }],
});

describe("a broken configuration is one line that names the field", () => {
  test.each<[string, Record<string, unknown>, RegExp]>([
    ["no address", { address: undefined }, /: address must .*got nothing/],
    ["an address without a scheme", { address: "127.0.0.1:5000/compute" }, /: address must .*"127/],
    ["another scheme", { address: "ftp://server/compute" }, /: address must .*"ftp/],
    ["a password", { address: "http://a:b@server/compute" }, /: address must .*without a user name/],
    ["a server without a path", { address: "http://127.0.0.1:5000" }, /: address must .*path/],
    ["no parameters", { encryption_parameters: undefined }, /: encryption_parameters must be a list of one set/],
    ["parameters that are no list", { encryption_parameters: parameters }, /: encryption_parameters must be a list/],
    ["two sets", { encryption_parameters: [parameters, parameters] }, /: encryption_parameters must be a list of one/],
    ["a set that is none", { encryption_parameters: [7] }, /: encryption_parameters must be an object/],
    ["no m", set({ m: undefined }), /: encryption_parameters: m must/],
    ["an m that is no power of two", set({ m: 2000 }), /: encryption_parameters: m must .*2000/],
    ["an m as text", set({ m: "2048" }), /: encryption_parameters: m must .*"2048"/],
    ["no p", set({ p: undefined }), /: encryption_parameters: p must/],
    ["a p of 1", set({ p: 1 }), /: encryption_parameters: p must .*got 1/],
    ["a p that is too large", set({ p: 2 ** 31 }), /: encryption_parameters: p must/],
    ["another security", set({ sec: 80 }), /: encryption_parameters: sec must .*80/],
    ["a security that m has not got", set({ m: 1024, sec: 192 }), /: encryption_parameters: m 1024/],
    ["a base of 1", set({ base: 1 }), /: encryption_parameters: base must .*got 1/],
    ["positions that are no list", set({ rencrypt_positions: 3 }), /: encryption_parameters: rencrypt_positions must/],
    ["a position that is no integer", set({ rencrypt_positions: [1.5] }), /rencrypt_positions must .*1\.5/],
    ["a position outside the layers", set({ rencrypt_positions: [7] }), /: rencrypt_positions must be .*0 to 3, got 7/],
    ["a misspelt name", set({ reencrypt_positions: [1] }), /: encryption_parameters: .*"reencrypt_positions"/],
    ["no net", { net: undefined }, /: net must/],
    ["an empty net", { net: " " }, /: net must/],
    ["no layers", { layers: undefined }, /: layers must .*got nothing/],
    ["an empty list of layers", { layers: [] }, /: layers must .*got \[\]/],
    ["a gap", { layers: [0, 1, 3] }, /: layers must .*without a gap.*\[0,1,3\]/],
    ["layers backwards", { layers: [1, 0] }, /: layers must .*smallest/],
    ["a layer twice", { layers: [1, 1] }, /: layers must/],
    ["a negative layer", { layers: [-1, 0] }, /: layers must/],
    ["half a layer", { layers: [0.5, 1.5] }, /: layers must/],
    ["names of layers", { layers: ["conv1"] }, /: layers must .*conv1/],
    ["more layers than there are", { layers: Array.from({ length: 2000 }, (_, i) => i) }, /: layers must be at most/],
    ["no threads", { max_threads: 0 }, /: max_threads must .*got 0/],
    ["threads as text", { max_threads: "4" }, /: max_threads must .*"4"/],
    ["an image that is none", { image: 7 }, /: image must .*got 7/],
    ["a debug that is neither", { debug: true }, /: debug must be "y" or "n", got true/],
    ["a misspelt field", { layer: [0] }, /: the field "layer" is unknown; there are address/],
  ])("%s", (_, changes, reason) => {
    let thrown: unknown;
    try {
      parse(changes);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ name: "CrcnnError", code: "INVALID_FILE" });
    expect((thrown as Error).message).toMatch(reason);
    expect((thrown as Error).message).toMatch(/^client\.json: [^\n]+$/);
  });

  test.each(["", "{", "[]", "null", "7", "[1]"])("%j is no configuration", (text) => {
    expect(() => parseClientConfig(text, "client.json")).toThrowError(/^client\.json: it (is not JSON|must be a JSON)/);
  });
});
