import fc from "fast-check";
import { expect, test } from "vitest";
import { compile } from "../../src/builder/index.ts";
import { CrcnnError } from "../../src/errors/index.ts";
import { deserializeManifest, serializeManifest } from "../../src/plan/index.ts";
import { pathsOf, withValue } from "../helpers/junk.ts";
import { loadFixture } from "../server/wire.ts";

const { manifest } = compile(loadFixture("variants/linear-plain.pt"), { inputShape: [12], inputRange: [-4, 4] });
const text = serializeManifest(manifest);

test("a manifest survives JSON, the range of its inputs included", () => {
  expect(deserializeManifest(text)).toEqual(manifest);
  expect(manifest.segments[0]!.input.range).toEqual([-4, 4]);
});

test("whatever stands in a field's place, it is read or refused as a malformed message", () => {
  const parsed: unknown = JSON.parse(text);
  const junk = fc.constantFrom<unknown>(null, -1, 0.5, 1e300, "x", true, [], {}, [null], [[]]);
  fc.assert(
    fc.property(fc.constantFrom(...pathsOf(parsed)), junk, (path, value) => {
      try {
        deserializeManifest(JSON.stringify(withValue(parsed, path, value)));
      } catch (error) {
        expect(error).toBeInstanceOf(CrcnnError);
        expect(error).toMatchObject({ code: "INVALID_MESSAGE" });
      }
    }),
    { numRuns: 600 },
  );
});

test.each<[string, (string | number)[], unknown]>([
  ["an expected error that would accept any result", ["segments", 0, "expectedError"], null],
  ["a range the wrong way round", ["segments", 0, "input", "range"], [1, 0]],
  ["half a slot", ["segments", 0, "slots"], 0.5],
  ["fewer places than outputs", ["segments", 0, "output", "position"], [0]],
  ["a key that is none", ["keys", "rotations"], [null]],
  ["a segment that is none", ["segments"], [null]],
])("refused: %s", (_, path, value) => {
  expect(() => deserializeManifest(JSON.stringify(withValue(JSON.parse(text), path, value)))).toThrow(
    expect.objectContaining({ code: "INVALID_MESSAGE" }),
  );
});
