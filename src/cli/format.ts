/** Figures for people. */

import type { PlanManifest } from "../plan/index.ts";
import { maximumModulusBits, modulusBits } from "../rlwe/index.ts";

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function formatMilliseconds(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

/** Ring degree, primes, modulus and what the security table allows. */
export function formatParameters({ parameters, segments }: PlanManifest): string {
  const { ringDegree, dataPrimes, specialPrimes, security } = parameters;
  const primes = [...dataPrimes, ...specialPrimes];
  const bits = primes.map((prime) => Math.log2(prime));
  const sizes = `${Math.round(Math.min(...bits))} to ${Math.round(Math.max(...bits))} bits`;
  const cap =
    security === "insecure"
      ? "insecure"
      : `of at most ${maximumModulusBits(ringDegree, security)} for ${security}-bit security (2024 guidelines)`;
  const rounds = segments.length > 1 ? `, ${segments.length - 1} re-encryptions` : "";
  return (
    `CKKS, N = ${ringDegree}, ${dataPrimes.length} + ${specialPrimes.length} primes of ${sizes}, ` +
    `log2(QP) = ${modulusBits(primes).toFixed(1)} ${cap}${rounds}`
  );
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

/** As many columns as a terminal of 80 characters holds. */
const COLUMNS = 10;
const LABEL_WIDTH = 10;
/** Longer results are cut here: people read the first lines, programs --json. */
const LONGEST = 60;

/** Rows of figures under the numbers of their classes. */
export function formatTable(rows: Readonly<Record<string, ArrayLike<number>>>): string {
  const length = Object.values(rows)[0]?.length ?? 0;
  const shown = Math.min(length, LONGEST);
  const lines: string[] = [];
  const line = (label: string, cells: readonly string[]): void => {
    lines.push(`  ${label.padEnd(LABEL_WIDTH)}${cells.map((cell) => cell.padStart(9)).join("")}`);
  };
  for (let from = 0; from < shown; from += COLUMNS) {
    const indices = Array.from({ length: Math.min(COLUMNS, shown - from) }, (_, i) => from + i);
    line("class", indices.map(String));
    for (const [label, values] of Object.entries(rows))
      line(
        label,
        indices.map((i) => (values[i] as number).toFixed(4)),
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
