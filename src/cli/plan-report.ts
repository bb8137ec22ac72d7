/** Reports on plans for people. */

import type { Alternative, LayerReport, PlanReport } from "../builder/index.ts";
import { formatShape } from "../plan/index.ts";
import { formatBytes, formatMilliseconds, formatPrimes } from "./format.ts";

/** A change to how a model is compiled, or to the polynomials that stand for its activations. */
export type Change = Alternative["change"] & {
  /** The most that polynomials may have, and the part of the answers that such keep. */
  readonly polynomials?: { readonly degree: number; readonly agreement: number } | undefined;
};

/** A change with which a model fits. */
export interface FittingChange {
  readonly change: Change;
  readonly report: PlanReport;
}

/** What `--json` prints. */
export type Preflight =
  | { readonly fits: true; readonly report: PlanReport }
  | {
      readonly fits: false;
      readonly error: { readonly code: string; readonly message: string };
      /** Where a plan was found that needs too much memory. */
      readonly report?: PlanReport;
      readonly alternatives: readonly FittingChange[];
    };

export function describePreflight(preflight: Preflight): string {
  const plan = preflight.report ? describePlan(preflight.report) : "";
  if (preflight.fits) return plan;
  const { error, alternatives } = preflight;
  const found =
    alternatives.length > 0
      ? `What would fit, each tried out:\n${alternatives.map(describeAlternative).join("\n")}`
      : "Nothing near it fits: less precision, up to four refreshes and the other objective were tried.";
  return `${plan}It does not fit: ${error.message}\n${found}\n`;
}

/** A change to the options in words. */
export function describeChange({ polynomials, rencryptPositions, precision, objective }: Change): string {
  if (polynomials) {
    const { degree, agreement } = polynomials;
    return `polynomials of degree ${degree}, which keep ${(100 * agreement).toFixed(1)} % of the answers (--degrees ${degree})`;
  }
  if (rencryptPositions) {
    const layers = rencryptPositions.join(" and ");
    return `a refresh before layer${rencryptPositions.length > 1 ? "s" : ""} ${layers} (--refresh ${rencryptPositions.join(",")})`;
  }
  if (precision !== undefined) return `a precision of ${precision} (--precision ${precision})`;
  return objective === "throughput"
    ? "a slot an image, for throughput (--objective throughput)"
    : "one image at a time, for latency (--objective latency)";
}

function describeAlternative({ change, report }: FittingChange): string {
  const { parameters, keys, precision, seconds, images, heap } = report;
  return (
    `  ${describeChange(change)}\n    N = ${parameters.ringDegree}, ${formatBytes(keys.bytes)} of keys, ${formatBytes(heap.total)} of memory, ` +
    `${formatMilliseconds(1000 * seconds)}${images > 1 ? ` for ${images} images` : ""}, errors of ${precision.relativeError.toExponential(1)} at most`
  );
}

function describePlan(report: PlanReport): string {
  const { parameters, keys, ciphertexts, heap, precision, seconds, images, rotations, relinearizations } = report;
  const { ringDegree, modulusBits, maximumModulusBits, security } = parameters;
  const rounds = report.hashes.length - 1;
  const per = images > 1 ? `for ${images} images, ${Math.round(images / seconds)} images a second` : "an image";
  const rows: [string, string][] = [
    [
      "input",
      `${formatShape(report.inputShape)}, for ${report.objective}${rounds > 0 ? `, ${rounds} refresh${rounds > 1 ? "es" : ""}` : ""}`,
    ],
    [
      "parameters",
      `CKKS, N = ${ringDegree}, ${formatPrimes(parameters)}: log2(QP) = ${modulusBits.toFixed(1)} of at most ${maximumModulusBits} for ` +
        `${security}-bit security (2024 guidelines)`,
    ],
    ["keys", `${keys.count} evaluation keys, ${formatBytes(keys.bytes)}, once for all images`],
    ["ciphertexts", `${formatBytes(ciphertexts.bytesUp)} up, ${formatBytes(ciphertexts.bytesDown)} down`],
    [
      "memory",
      `${formatBytes(heap.total)} for the evaluator: keys ${formatBytes(heap.keys)}, weights ${formatBytes(heap.weights)}, values ` +
        `${formatBytes(heap.values)}, tables ${formatBytes(heap.tables)}`,
    ],
    ["operations", `${rotations} rotations, ${relinearizations} relinearizations`],
    [
      "time",
      `${formatMilliseconds(1000 * seconds)} ${per}, with everything warm, by this machine's kernels as timed just now`,
    ],
    [
      "precision",
      `${precision.bits.toFixed(1)} bits: errors of at most ${precision.relativeError.toExponential(1)} of the largest output`,
    ],
  ];
  const lines = rows.map(([label, text]) => label.padEnd(LABEL_WIDTH) + text);
  return `${lines.join("\n")}\n\n${formatLayers(report)}\n`;
}

const LABEL_WIDTH = 13;

/** A row a group of layers, with the primes that are in use when it begins, and those that it leaves. */
function formatLayers({ layers, parameters, seconds }: PlanReport): string {
  const primes = parameters.levels + 1;
  const header = ["layers", "", "primes", "rotations", "products", "time", ""];
  const cells = layers.map((layer, i) => {
    const refreshed = i > 0 && layer.segment !== layers[i - 1]!.segment;
    const [first, last] = layer.layers;
    return [
      `${refreshed ? "↻ " : ""}${first === last ? first : `${first}–${last}`}`,
      layer.name,
      drawChain(layer, primes),
      String(layer.rotations),
      layer.products.toLocaleString("en"),
      formatMilliseconds(1000 * layer.seconds),
      `${Math.round((100 * layer.seconds) / seconds)} %`,
    ];
  });
  const widths = header.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]!.length)));
  return [header, ...cells]
    .map((row) =>
      row
        .map((cell, column) => (column < LEFT_ALIGNED ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const LEFT_ALIGNED = 3;

/** The chain of primes: those that stay, those that the layers use up, those that were gone before. */
function drawChain({ levels: [from, to] }: LayerReport, primes: number): string {
  return "■".repeat(to + 1) + "□".repeat(from - to) + "·".repeat(primes - 1 - from);
}
