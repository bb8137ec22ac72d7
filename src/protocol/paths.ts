/**
 * The server's paths. A server may live below a prefix of its own; these are relative to it.
 *
 *   GET    health                         → text "ok"
 *   GET    models                         → JSON ModelList
 *   POST   models/:name/plan              JSON PlanRequest → the plan's manifest, JSON
 *   POST   sessions?model=…&plan=…        evaluation keys → JSON SessionCreated
 *   POST   sessions/:id/segments/:n       ciphertexts → ciphertexts, with the header Server-Timing: evaluate;dur=<milliseconds>
 *   DELETE sessions/:id                   → 204
 *   POST   compute                        JSON ComputeRequest → JSON ComputeAnswer, with the same header: layers without a session
 *
 * Keys and ciphertexts are binary, in the formats of `crcnn/rlwe` and `crcnn/ckks`. Every failure is a JSON `Failure`; BUSY comes with the
 * header Retry-After. A request that is given up stops being worked on.
 */

/** Routes as a router takes them. */
export const ROUTES = {
  health: "/health",
  models: "/models",
  plan: "/models/:name/plan",
  sessions: "/sessions",
  session: "/sessions/:id",
  segment: "/sessions/:id/segments/:segment",
  compute: "/compute",
} as const;

/** The same with their parameters filled in. */
export const paths = {
  health: (): string => "health",
  models: (): string => "models",
  plan: (model: string): string => `models/${encodeURIComponent(model)}/plan`,
  sessions: (model: string, plan: string): string => `sessions?${new URLSearchParams({ model, plan })}`,
  session: (id: string): string => `sessions/${encodeURIComponent(id)}`,
  segment: (id: string, segment: number): string => `sessions/${encodeURIComponent(id)}/segments/${segment}`,
} as const;

/** Content types of the two kinds of bodies. */
export const CONTENT_TYPES = { json: "application/json", binary: "application/octet-stream" } as const;

/** The metric of the Server-Timing header that holds the milliseconds of one evaluation. */
const EVALUATE = "evaluate";

/** A Server-Timing header (W3C Server Timing) for one evaluation. */
export function formatTiming(milliseconds: number): string {
  return `${EVALUATE};dur=${milliseconds.toFixed(1)}`;
}

/** The milliseconds of {@link formatTiming}; undefined where the header is missing or says something else. */
export function parseTiming(header: string | null): number | undefined {
  const found = header?.match(new RegExp(`(?:^|,)\\s*${EVALUATE};dur=(\\d+(?:\\.\\d+)?)`));
  return found ? Number(found[1]) : undefined;
}
