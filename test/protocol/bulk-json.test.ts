import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseBulkJson } from "../../src/protocol/index.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (text: string, values = 100): unknown => parseBulkJson(bytes(text), "the body", { values });

describe("JSON of a few long strings", () => {
  test("any object with few enough values is what JSON.parse makes of it", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        const text = JSON.stringify(object);
        expect(parse(text, text.length)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("what is in strings does not count, however it is escaped", () => {
    const object = { "a[": '[[[{{{,,,"', b: "\\", "\\\\": '\\"[', c: ",,,,", d: [1] };
    const text = JSON.stringify(object);
    // Two more than commas: the object and the array.
    expect(parse(text, 6)).toEqual(object);
    expect(() => parse(text, 5)).toThrowError(/more than the 5 values/);
  });

  test("a quote behind an escaped backslash ends a string: what follows counts", () => {
    expect(() => parse(`{"a":"\\\\","b":${"[".repeat(200)}`)).toThrowError(
      expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
    );
    expect(() => parse(`{"a":"\\"","b":${"[".repeat(200)}`)).toThrowError(
      expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
    );
  });

  test.each<[string, string]>([
    ["arrays in arrays", `{"data":${"[".repeat(1e6)}`],
    ["arrays side by side", `{"data":[${"[],".repeat(1e6)}`],
    ["numbers", `{"data":[${"1,".repeat(1e6)}1]}`],
    ["fields", `{${'"a":1,'.repeat(1e6)}"a":1}`],
  ])("too many values are refused before they are built: %s", (_, text) => {
    expect(() => parse(text)).toThrowError(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
  });

  test.each(["", "{", '{"a', '{"a\\"', "nonsense", '{"a":1}}'])("%j is not JSON", (text) => {
    expect(() => parse(text)).toThrowError(/^the body is not JSON/);
  });

  test.each(["[]", "null", "7", '"text"'])("%j is no object", (text) => {
    expect(() => parse(text)).toThrowError("the body is not a JSON object");
  });
});
