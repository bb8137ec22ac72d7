/** Figures for people. */

import type { BatchManifest, IntegerManifest, PlanManifest } from "../plan/index.ts";
import { maximumModulusBits, modulusBits, type RlweParameters } from "../rlwe/index.ts";

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function formatMilliseconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

/** How many data and special primes there are, and of what sizes. */
export function formatPrimes({ dataPrimes, specialPrimes }: RlweParameters): string {
  const bits = [...dataPrimes, ...specialPrimes].map((prime) => Math.round(Math.log2(prime)));
  return `${dataPrimes.length} + ${specialPrimes.length} primes of ${Math.min(...bits)} to ${Math.max(...bits)} bits`;
}

/** Ring degree, plain moduli under BFV, primes, modulus and what the security table allows. */
export function formatParameters(manifest: PlanManifest | BatchManifest | IntegerManifest): string {
  const { scheme, parameters, segments } = manifest;
  const { ringDegree, dataPrimes, specialPrimes, security } = parameters;
  const primes = [...dataPrimes, ...specialPrimes];
  const cap =
    security === "insecure"
      ? "insecure"
      : `of at most ${maximumModulusBits(ringDegree, security)} for ${security}-bit security (2024 guidelines)`;
  const rounds = segments.length > 1 ? `, ${segments.length - 1} re-encryptions` : "";
  return (
    `${scheme.toUpperCase()}, N = ${ringDegree}, ${scheme === "bfv" ? formatPlainModuli(manifest) : ""}${formatPrimes(parameters)}, ` +
    `log2(QP) = ${modulusBits(primes).toFixed(1)} ${cap}${rounds}`
  );
}

function formatPlainModuli({ plainModuli }: IntegerManifest): string {
  const bits = Math.round(Math.log2(Math.max(...plainModuli)));
  return `${plainModuli.length} plain ${plainModuli.length === 1 ? "modulus" : "moduli"} of ${bits} bits, `;
}

export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}

/** Largest difference, absolute and relative to the largest expected value. */
export function compareLogits(
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
): { absolute: number; relative: number } {
  let [absolute, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    absolute = Math.max(absolute, Math.abs((found[i] as number) - (expected[i] as number)));
    largest = Math.max(largest, Math.abs(expected[i] as number));
  }
  return { absolute, relative: largest > 0 ? absolute / largest : absolute };
}

/** Most columns of a table; a narrow terminal gets fewer. */
const COLUMNS = 10;
/** With the margin in front of it. */
const LABEL_WIDTH = 12;
const CELL_WIDTH = 9;
/** Longer results are cut here: people read the first lines, programs --json. */
const LONGEST = 60;

/** Four decimals, or where all figures are large or small five digits and an exponent. */
function figureFormat(rows: readonly ArrayLike<number>[]): (value: number) => string {
  let largest = 0;
  for (const row of rows) for (let i = 0; i < row.length; i++) largest = Math.max(largest, Math.abs(row[i] as number));
  const plain = largest === 0 || (largest >= 1e-2 && largest < 1e5);
  return (value) => (plain ? value.toFixed(4) : value.toExponential(4));
}

/**
 * Rows of figures under the numbers of their classes.
 *
 * @param width Characters in a line.
 */
export function formatTable(
  rows: Readonly<Record<string, ArrayLike<number>>>,
  width: number = process.stdout.columns || Number.POSITIVE_INFINITY,
): string {
  const figure = figureFormat(Object.values(rows));
  const length = Object.values(rows)[0]?.length ?? 0;
  const shown = Math.min(length, LONGEST);
  const cellWidth = Object.values(rows).reduce(
    (most, values) => Array.from(values).reduce((m: number, value) => Math.max(m, figure(value).length + 1), most),
    CELL_WIDTH,
  );
  const columns = Math.min(COLUMNS, Math.max(1, Math.floor((width - LABEL_WIDTH) / cellWidth)));
  const lines: string[] = [];
  const line = (label: string, cells: readonly string[]): void => {
    lines.push(`  ${label}`.padEnd(LABEL_WIDTH) + cells.map((cell) => cell.padStart(cellWidth)).join(""));
  };
  for (let from = 0; from < shown; from += columns) {
    const indices = Array.from({ length: Math.min(columns, shown - from) }, (_, i) => from + i);
    line("class", indices.map(String));
    for (const [label, values] of Object.entries(rows))
      line(
        label,
        indices.map((i) => figure(values[i] as number)),
      );
  }
  if (shown < length) lines.push(`  … ${length - shown} more; --json prints all`);
  return lines.join("\n");
}

/** A picture in characters, dark to bright; two rows of pixels share a line, since characters are tall. */
export function formatPicture(shape: readonly number[], data: ArrayLike<number>): string {
  const shades = " .:-=+*#%@";
  const [height = 1, width = 1] = shape.slice(-2);
  const lines: string[] = [];
  for (let y = 0; y < height; y += 2) {
    let line = "  ";
    for (let x = 0; x < width; x++) {
      const upper = data[y * width + x] as number;
      const lower = y + 1 < height ? (data[(y + 1) * width + x] as number) : upper;
      line += shades[Math.min(shades.length - 1, Math.max(0, Math.floor(((upper + lower) / 2) * shades.length)))];
    }
    lines.push(line.trimEnd());
  }
  // Empty margins above and below say nothing.
  return lines.join("\n").replace(/^\n+|\n+$/g, "");
}
