/** The body of a request for layers, from someone who need not be trusted. */

import { z } from "zod";
import { CrcnnError } from "../../errors/index.ts";
import {
  type ComputeRequest,
  type FlatStrings,
  flatten,
  MAX_COMPUTE_AXES,
  MAX_COMPUTE_ELEMENTS,
  MAX_COMPUTE_LAYERS,
  MAX_COMPUTE_VALUES,
  parseBulkJson,
} from "../../protocol/index.ts";

/** A request whose fields have the right form. */
export interface ComputeBody extends Omit<ComputeRequest, "data"> {
  readonly data: FlatStrings;
}

const MAX_NET_CHARACTERS = 256;

const must = (what: string): { error: (issue: { readonly input?: unknown }) => string } => ({
  error: ({ input }) => (input === undefined ? `is missing, it must be ${what}` : `must be ${what}`),
});

const integer = z.int(must("an integer"));
const layerNumber = z.int(must("a layer's number")).min(0, must("a layer's number"));
const base64 = z.string(must("a base64 string"));
const net = must(`a model's name of at most ${MAX_NET_CHARACTERS} characters`);
const layers = must(`a list of 1 to ${MAX_COMPUTE_LAYERS} layer numbers, as [0, 1, 2, 3]`);

const BODY = z.strictObject({
  // PyCrCNN's files have a list of sets here; a request is for one.
  encryption_parameters: z.preprocess(
    (given: unknown) => (Array.isArray(given) && given.length === 1 ? given[0] : given),
    z.object(
      { m: integer, p: integer, sec: integer, base: integer },
      must('one set, as { "m": 2048, "p": 13513511, "sec": 128, "base": 2 }'),
    ),
  ),
  net: z.string(net).min(1, net).max(MAX_NET_CHARACTERS, net),
  layers: z
    .array(layerNumber, layers)
    .min(1, layers)
    .max(MAX_COMPUTE_LAYERS, layers)
    .refine((numbers) => numbers.every((number, i) => number === (numbers[0] ?? 0) + i), {
      error: "must go from the smallest to the largest without a gap, as [0, 1, 2, 3]",
    }),
  data: z.unknown().optional(),
  public_key: base64.optional(),
  evaluation_keys: base64.optional(),
});

/**
 * @throws CrcnnError INVALID_MESSAGE naming the field and what it takes; LIMIT_EXCEEDED for more values or ciphertexts than a body may have.
 */
export function parseComputeBody(bytes: Uint8Array): ComputeBody {
  const parsed = BODY.safeParse(parseBulkJson(bytes, "the body", { values: MAX_COMPUTE_VALUES }), { jitless: true });
  if (!parsed.success) throw new CrcnnError("INVALID_MESSAGE", describe(parsed.error.issues[0]));
  const limits = { axes: MAX_COMPUTE_AXES, elements: MAX_COMPUTE_ELEMENTS };
  return { ...parsed.data, data: flatten(parsed.data.data, "data", limits) };
}

function describe(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === "unrecognized_keys") {
    const fields = Object.keys(BODY.shape).join(", ");
    return `the field ${JSON.stringify(issue.keys[0]).slice(0, 60)} is unknown; there are ${fields}`;
  }
  const path = issue?.path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)) ?? [];
  return `${path.join("").slice(1)} ${issue?.message}`;
}
