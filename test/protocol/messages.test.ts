import fc from "fast-check";
import { expect, test } from "vitest";
import {
  formatTiming,
  oneLine,
  parseFailure,
  parseModelList,
  parsePlanRequest,
  parseSessionCreated,
  parseTiming,
  paths,
  planHash,
  readBounded,
  statusOf,
} from "../../src/protocol/index.ts";
import { expectRefusal } from "../helpers/rlwe.ts";

test("a plan request survives the wire", () => {
  const request = { inputShape: [3, 32, 32], precision: 1e-4, inputRange: [-2, 4], rencryptPositions: [1, 3] };
  expect(parsePlanRequest(JSON.stringify(request))).toEqual(request);
  expect(parsePlanRequest('{"inputShape":[784]}')).toEqual({ inputShape: [784] });
  expect(parsePlanRequest('{"inputShape":[784],"scheme":"ckks"}')).toEqual({ inputShape: [784] });
});

test.each([
  ["", /not JSON/],
  ["[]", /not a JSON object/],
  ["null", /not a JSON object/],
  ["{}", /inputShape/],
  ['{"inputShape":[]}', /inputShape/],
  ['{"inputShape":[1,0]}', /positive/],
  ['{"inputShape":[1.5]}', /integers/],
  ['{"inputShape":"1x2"}', /inputShape/],
  ['{"inputShape":[1,1,1,1,1]}', /1 to 4/],
  ['{"inputShape":[1],"precision":0}', /precision/],
  ['{"inputShape":[1],"precision":"x"}', /precision/],
  ['{"inputShape":[1],"inputRange":[1,0]}', /inputRange/],
  ['{"inputShape":[1],"inputRange":[0,null]}', /inputRange/],
  ['{"inputShape":[1],"rencryptPositions":[0.5]}', /rencryptPositions/],
  ['{"inputShape":[1],"security":0}', /"security" is unknown/],
  ['{"inputShape":[1],"scheme":"bgv"}', /scheme must be "ckks"/],
  ['{"inputShape":[1],"scheme":"bfv"}', /batches, .* which the server does not serve .* crcnn run --scheme bfv/],
])("a plan request %s is refused with the reason", (text, reason) => {
  expectRefusal(() => parsePlanRequest(text), "INVALID_MESSAGE", reason);
});

test("an input of too many values is refused before anything is computed for it", () => {
  expectRefusal(() => parsePlanRequest('{"inputShape":[3,4096,4096]}'), "LIMIT_EXCEEDED", /3x4096x4096/);
});

test("the server's own messages are checked too", () => {
  expect(parseModelList('{"models":[{"name":"a","layers":["Linear"]}]}').models).toHaveLength(1);
  expect(parseSessionCreated('{"session":"x"}')).toEqual({ session: "x" });
  for (const text of ["{}", '{"models":[{}]}', '{"models":[{"name":"a","layers":[1]}]}', '{"models":{}}']) {
    expectRefusal(() => parseModelList(text), "INVALID_MESSAGE");
  }
  for (const text of ["{}", '{"session":""}', '{"session":1}', "x"]) {
    expectRefusal(() => parseSessionCreated(text), "INVALID_MESSAGE");
  }
});

test("only failures of known codes are failures, and their messages are made one line", () => {
  expect(parseFailure('{"code":"BUSY","message":"a\\r\\n\\u001b[31mb"}')).toEqual({ code: "BUSY", message: "a [31mb" });
  for (const text of ["<html>", "null", "1", '{"code":"BUSY"}', '{"code":"toString","message":"x"}']) {
    expect(parseFailure(text)).toBeUndefined();
  }
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(oneLine(text)).not.toMatch(/[\n\r\u2028\u2029\p{Cc}]/u);
      expect(oneLine(text).length).toBeLessThanOrEqual(1000);
    }),
  );
});

test("statuses tell the client's mistakes from the server's", () => {
  expect([statusOf("INVALID_MESSAGE"), statusOf("UNKNOWN_SESSION"), statusOf("BUSY")]).toEqual([400, 404, 503]);
});

test("a timing survives its header, whatever else stands there", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), (milliseconds) => {
      expect(parseTiming(`cache;desc=x, ${formatTiming(milliseconds)}`)).toBeCloseTo(milliseconds, 0);
    }),
  );
  for (const header of [null, "", "total;dur=1", "evaluate", "reevaluate;dur=3"])
    expect(parseTiming(header)).toBeUndefined();
});

test("names cannot leave their place in a path", () => {
  expect(paths.plan("../a/b?c")).toBe("models/..%2Fa%2Fb%3Fc/plan");
  expect(paths.sessions("a&plan=1", "2")).toBe("sessions?model=a%26plan%3D1&plan=2");
});

test("the name of a plan is SHA-256 of its text (FIPS 180-2, B.1)", () => {
  expect(planHash("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("a body is collected up to its limit and cancelled beyond it", async () => {
  let pulled = 0;
  let cancelled = false;
  const endless = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(100));
      },
      cancel() {
        cancelled = true;
      },
    });
  expect(await readBounded(endless(), 1000)).toBeUndefined();
  expect(cancelled).toBe(true);
  expect(pulled).toBeLessThan(15);
  expect(await readBounded(null, 10)).toEqual(new Uint8Array(0));
  expect(await readBounded(new Blob(["abc"]).stream(), 3)).toEqual(new TextEncoder().encode("abc"));
});
