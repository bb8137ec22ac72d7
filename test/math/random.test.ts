import { describe, expect, test } from "vitest";
import { expandSeed, randomSeed, SEED_BYTES, systemRandom } from "../../src/math/index.ts";

const fromHex = (hex: string): Uint8Array => Uint8Array.from(hex.match(/../g)!, (pair) => Number.parseInt(pair, 16));

function stream(seed: Uint8Array, nonce: Uint8Array, lengths: readonly number[]): Uint8Array {
  const random = expandSeed(seed, nonce);
  const pieces = lengths.map((length) => {
    const piece = new Uint8Array(length).fill(0xee);
    random(piece);
    return piece;
  });
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

describe("expandSeed", () => {
  // RFC 8439, appendix A.1, test vectors 1 (block 0), 2 (block 1) and 5 (another nonce); section 2.4.2 (block 1).
  const zeros = new Uint8Array(32);
  const lastNonce = fromHex("000000000000000000000002");
  test.each([
    {
      vector: "A.1 #1",
      seed: zeros,
      nonce: new Uint8Array(12),
      block: 0,
      expected:
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7" +
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
    },
    {
      vector: "A.1 #2",
      seed: zeros,
      nonce: new Uint8Array(12),
      block: 1,
      expected:
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed" +
        "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
    },
    {
      vector: "A.1 #5",
      seed: zeros,
      nonce: lastNonce,
      block: 0,
      expected:
        "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7" +
        "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d",
    },
    {
      vector: "2.4.2",
      seed: Uint8Array.from({ length: 32 }, (_, i) => i),
      nonce: fromHex("000000000000004a00000000"),
      block: 1,
      expected:
        "224f51f3401bd9e12fde276fb8631ded8c131f823d2c06e27e4fcaec9ef3cf78" +
        "8a3b0aa372600a92b57974cded2b9334794cba40c63e34cdea212c4cf07d41b7",
    },
  ])("is the key stream of RFC 8439, $vector", ({ seed, nonce, block, expected }) => {
    const bytes = stream(seed, nonce, [64 * (block + 1)]);
    expect(bytes.subarray(64 * block)).toEqual(fromHex(expected));
  });

  test("does not depend on how it is asked for, at multiples of 64 bytes", () => {
    const [seed, nonce] = [new Uint8Array(32).fill(7), new Uint8Array(12).fill(9)];
    const whole = stream(seed, nonce, [4096]);
    expect(stream(seed, nonce, [64, 0, 128, 1024, 2880])).toEqual(whole);
    expect(stream(seed, nonce, new Array(64).fill(64))).toEqual(whole);
  });

  test("a request that ends inside a block takes its beginning", () => {
    const [seed, nonce] = [new Uint8Array(32).fill(7), new Uint8Array(12).fill(9)];
    const whole = stream(seed, nonce, [256]);
    expect(stream(seed, nonce, [100, 64])).toEqual(
      Uint8Array.from([...whole.subarray(0, 100), ...whole.subarray(128, 192)]),
    );
  });

  test("other seeds and nonces give other streams", () => {
    const bytes = (seed: number, nonce: number) =>
      stream(new Uint8Array(32).fill(seed), new Uint8Array(12).fill(nonce), [64]).join();
    expect(new Set([bytes(0, 0), bytes(0, 1), bytes(1, 0), bytes(1, 1)]).size).toBe(4);
  });
});

describe("systemRandom", () => {
  test.each([0, 1, 65_536, 65_537, 200_001])("fills %i bytes, past Web Crypto's quota", (length) => {
    const bytes = new Uint8Array(length);
    systemRandom(bytes);
    // Each byte is zero once in 256 times: a stretch of 64 that is all zero was not filled.
    for (let start = 0; start + 64 <= length; start += 64) {
      expect(bytes.subarray(start, start + 64).some((byte) => byte !== 0)).toBe(true);
    }
    if (length > 64) expect(bytes.subarray(-64).some((byte) => byte !== 0)).toBe(true);
  });

  test("seeds are 32 bytes from the source", () => {
    const seed = randomSeed((bytes) => {
      bytes.fill(3);
    });
    expect(seed).toEqual(new Uint8Array(SEED_BYTES).fill(3));
    expect(randomSeed(systemRandom)).not.toEqual(randomSeed(systemRandom));
  });
});
