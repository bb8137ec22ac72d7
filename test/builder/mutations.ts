/** Damaged files of every kind that is read, and what must come of them: an answer or an error of ours, in bounded time and memory. */

import { readdirSync } from "node:fs";
import { expect } from "vitest";
import { type Architecture, parseArchitecture, readModel, runModel, traceShapes } from "../../src/builder/index.ts";
import { openZip } from "../../src/builder/torch/zip.ts";
import { readNpy } from "../../src/data/index.ts";
import { CrcnnError } from "../../src/errors/index.ts";
import { type Shape, sizeOf } from "../../src/plan/index.ts";
import { architectureFixture } from "../helpers/architectures.ts";
import { fixture, hasFixture, jsonFixture } from "./torch/fixtures.ts";
import { zipFile } from "./torch/pickle.ts";

const MOST_MILLISECONDS = 1000;
const MOST_MEBIBYTES = 200;

/** Marsaglia's xorshift: integers in [0, bound). */
type Random = (bound: number) => number;

function createRandom(seed: number): Random {
  let state = seed | 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

/** Counts, offsets and opcodes that readers compare, multiply or branch by. */
const WORDS = [0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
const PICKLE_BYTES = [..."().0NXJKMQRbcehjlqrstu]}aGIBCT2\x80\x81\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95"].map(
  (character) => character.charCodeAt(0),
);
const TEXT_BYTES = [...'{}[]",:0123456789-.eE \\'].map((character) => character.charCodeAt(0));

/** Tags of fields with lengths, numbers and floats, element types, and how long numbers go on. */
const WIRE_BYTES = [
  0, 1, 2, 4, 7, 8, 0x0a, 0x0b, 0x10, 0x12, 0x1a, 0x22, 0x2a, 0x32, 0x3a, 0x42, 0x4a, 0x55, 0x7f, 0x80, 0xff,
];

/** One to four changes: a byte, a word, a piece cut out, doubled or moved, the end cut off. */
function mutate(original: Uint8Array, random: Random, alphabet: readonly number[]): Uint8Array {
  let bytes: Uint8Array = original.slice();
  for (let changes = 1 + random(4); changes > 0 && bytes.length > 0; changes--) {
    const at = random(bytes.length);
    const end = Math.min(bytes.length, at + 1 + random(1 << random(7)));
    switch (random(8)) {
      case 0:
        bytes[at] ^= 1 << random(8);
        break;
      case 1:
        bytes[at] = random(256);
        break;
      case 2:
      case 3:
        bytes[at] = alphabet[random(alphabet.length)];
        break;
      case 4: {
        const word = WORDS[random(WORDS.length)];
        for (let i = 0; i < 4 && at + i < bytes.length; i++) bytes[at + i] = word >>> (8 * i);
        break;
      }
      case 5:
        bytes = joined(bytes.subarray(0, at), bytes.subarray(end));
        break;
      case 6:
        bytes = joined(bytes.subarray(0, end), bytes.subarray(at));
        break;
      default:
        if (random(4) === 0) bytes = bytes.slice(0, at);
        else bytes.copyWithin(random(bytes.length), at, end);
    }
  }
  return bytes;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A kind of file: how a damaged one is made, and how it is read. */
export interface Target {
  readonly name: string;
  mutant(random: Random): Uint8Array;
  read(bytes: Uint8Array): void;
}

/** Reads a model, and goes through it as a command would. */
function useModel(bytes: Uint8Array, architecture: Architecture | undefined, inputShape: Shape): void {
  const model = readModel(bytes, { architecture });
  const largest = Math.max(...traceShapes(model, inputShape).map(sizeOf));
  if (largest < 10_000) runModel(model, { shape: inputShape, data: new Float64Array(sizeOf(inputShape)).fill(0.5) });
}

interface Sample {
  readonly bytes: Uint8Array;
  readonly inputShape: Shape;
  readonly architecture?: Architecture;
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[random(items.length)];
}

function targets(): Target[] {
  const { variants } = jsonFixture<{ variants: { name: string; input_shape: Shape | null }[] }>(
    "variants/variants.json",
  );
  const wholes = variants.flatMap(({ name, input_shape: inputShape }): Sample[] =>
    inputShape ? [{ bytes: fixture(`variants/${name}.pt`), inputShape }] : [],
  );
  const architecture = architectureFixture("lenet1-square");
  const control: Architecture = { kind: "Linear", inFeatures: 2, outFeatures: 2, bias: false };
  const lenet = (form: string): Sample => ({
    bytes: fixture(`models/lenet1-square/lenet1-square.${form}`),
    inputShape: [1, 28, 28],
    architecture,
  });
  const small = (file: string): Sample => ({ bytes: fixture(`evil/${file}`), inputShape: [2], architecture: control });
  const states = [small("ok-control.pt"), lenet("pth"), lenet("checkpoint.pth"), lenet("f16.pth")];
  const legacy: Sample[] = [
    { ...lenet("legacy.pt"), architecture: undefined },
    ...[lenet("legacy.pth"), small("ok-control.legacy.pth"), small("ok-control.legacy.pth")],
  ] as Sample[];
  const safetensors = [small("safetensors/ok-control.safetensors"), lenet("safetensors")];
  const onnx = [
    ...variants.flatMap(({ name, input_shape: inputShape }): Sample[] =>
      inputShape && hasFixture(`variants/${name}.onnx`)
        ? [{ bytes: fixture(`variants/${name}.onnx`), inputShape }]
        : [],
    ),
    ...["op13", "op18.dynamo", "torch1.13.1.op11"].map((form) => ({
      ...lenet(`${form}.onnx`),
      architecture: undefined,
    })),
    { bytes: fixture("models/resblock/resblock.op13.bn.onnx"), inputShape: [1, 28, 28] },
  ] as Sample[];
  const arrays = [
    ...readdirSync(new URL("../fixtures/variants/", import.meta.url))
      .filter((name) => name.endsWith(".npy"))
      .map((name) => `variants/${name}`),
    "models/linear/linear.logits.npy",
  ].map(fixture);
  const entriesOf = (bytes: Uint8Array) => {
    const zip = openZip(bytes);
    return zip.names.map((name) => [name, zip.read(name)?.slice() as Uint8Array] as const);
  };
  const [description, weights] = [fixture("architectures/resblock.json"), fixture("models/resblock/resblock.pth")];
  const archives = [...wholes, ...states].map((sample) => ({ sample, entries: entriesOf(sample.bytes) }));

  /** The sample whose mutant was made last: read with what belongs to it. */
  const ofSamples = (
    name: string,
    samples: readonly Sample[],
    damage: (sample: Sample, random: Random) => Uint8Array,
  ): Target => {
    let current = samples[0];
    return {
      name,
      mutant(random) {
        current = pick(samples, random);
        return damage(current, random);
      },
      read: (bytes) => useModel(bytes, current.architecture, current.inputShape),
    };
  };
  return [
    ofSamples("torch archives", [...wholes, ...states], ({ bytes }, random) => mutate(bytes, random, PICKLE_BYTES)),
    ofSamples(
      "torch archives with right checksums",
      archives.map(({ sample }) => sample),
      (sample, random) => {
        const entries = archives.find((archive) => archive.sample === sample)?.entries ?? [];
        // The pickle mostly; it is the first entry of an archive of torch.save.
        const damaged = random(4) > 0 ? 0 : random(entries.length);
        return zipFile(
          entries.map(([name, data], i) => [name, i === damaged ? mutate(data, random, PICKLE_BYTES) : data]),
        );
      },
    ),
    ofSamples("torch files from before 1.6", legacy, ({ bytes }, random) => {
      // Pickles come first, then weights, of which all values are alike to a reader.
      const most = random(4) > 0 ? Math.min(bytes.length, 4000) : bytes.length;
      return joined(mutate(bytes.subarray(0, most), random, PICKLE_BYTES), bytes.subarray(most));
    }),
    ofSamples("safetensors", safetensors, ({ bytes }, random) => {
      const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
      if (random(4) === 0) return mutate(bytes, random, TEXT_BYTES);
      const header = mutate(bytes.subarray(8, 8 + length), random, TEXT_BYTES);
      const size = new Uint8Array(8);
      new DataView(size.buffer).setUint32(0, header.length, true);
      return joined(size, header, bytes.subarray(8 + length));
    }),
    ofSamples("ONNX", onnx, ({ bytes }, random) => {
      // Weights come last in most files, and all their values are alike to a reader.
      const most = random(4) > 0 ? Math.min(bytes.length, 2500) : bytes.length;
      return joined(mutate(bytes.subarray(0, most), random, WIRE_BYTES), bytes.subarray(most));
    }),
    {
      name: ".npy arrays",
      mutant: (random) => {
        const bytes = pick(arrays, random);
        return random(4) === 0
          ? mutate(bytes, random, TEXT_BYTES)
          : joined(mutate(bytes.subarray(0, 128), random, TEXT_BYTES), bytes.subarray(128));
      },
      read: (bytes) => void readNpy(bytes),
    },
    {
      name: "architectures",
      mutant: (random) => mutate(description, random, TEXT_BYTES),
      read: (bytes) => {
        const damaged = parseArchitecture(new TextDecoder().decode(bytes));
        useModel(weights, damaged, [1, 28, 28]);
      },
    },
  ];
}

const ONE_LINE = /^[^\p{Cc}\p{Zl}\p{Zp}]{10,1000}$/u;

/** What reading throws, and the milliseconds that it takes. */
function attempt(target: Target, bytes: Uint8Array): [error: unknown, milliseconds: number] {
  const start = performance.now();
  try {
    target.read(bytes);
    return [undefined, performance.now() - start];
  } catch (error) {
    return [error, performance.now() - start];
  }
}

/** Has every kind of file, or the one of this name, damaged so many times, and holds each to an answer or an error of ours. */
export function survive(seed: number, count: number, only?: string): void {
  const before = process.resourceUsage().maxRSS;
  const tally: string[] = [];
  for (const target of targets().filter(({ name }) => only === undefined || name === only)) {
    const random = createRandom(seed);
    let [accepted, slowest] = [0, 0];
    for (let i = 0; i < count; i++) {
      const bytes = target.mutant(random);
      const which = `${target.name}, seed ${seed}, mutant ${i}`;
      const [error, first] = attempt(target, bytes);
      let taken = first;
      // Other processes may have had the processor: what is slow is so every time.
      for (let again = 0; again < 3 && taken > MOST_MILLISECONDS; again++) {
        const [, repeated] = attempt(target, bytes);
        taken = Math.min(taken, repeated);
      }
      slowest = Math.max(slowest, taken);
      if (taken > MOST_MILLISECONDS) expect.unreachable(`${which} took ${taken} ms`);
      if (error === undefined) accepted++;
      else if (!(error instanceof CrcnnError && ONE_LINE.test(error.message))) {
        expect.unreachable(`${which}: ${(error as Error).stack}`);
      }
    }
    tally.push(`${target.name}: ${count - accepted} of ${count} refused, at most ${slowest.toFixed(0)} ms`);
    // Neither all nor none: something is damaged, and something is looked at behind the first check.
    expect(accepted, target.name).toBeGreaterThan(0);
    expect(accepted, target.name).toBeLessThan(count);
  }
  const mebibytes = (process.resourceUsage().maxRSS - before) / 1024;
  console.log(`seed ${seed}; ${tally.join("; ")}; ${mebibytes.toFixed(0)} MiB more`);
  expect(mebibytes).toBeLessThan(MOST_MEBIBYTES);
}
