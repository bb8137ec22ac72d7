/** Results for people (a table) and for programs (JSON beside this file's source). */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Row } from "./measure.ts";

/** A serialised size or a memory figure, a line of `sizes.json`. */
export interface SizeRow {
  readonly name: string;
  readonly params: string;
  readonly bytes: number;
  readonly peer: string;
  readonly peerBytes: number;
  /** peerBytes / bytes: above 1 where ours is smaller. */
  readonly ratio: number;
}

/** Seen from `bench/dist`, where the compiled benchmarks lie. */
export const RESULTS = new URL("../results.json", import.meta.url);
export const SIZES = new URL("../sizes.json", import.meta.url);

const integer = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const formatMicros = (micros: number): string => (micros < 100 ? micros.toFixed(1) : integer.format(micros));
const formatBytes = (bytes: number): string =>
  bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;

/** Columns as wide as their widest cell; all but the first three are flush right. */
export function printTable(lines: readonly (readonly string[])[]): void {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  for (const line of lines) {
    const cells = line.map((cell, i) => (i < 3 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)));
    console.log(cells.join("  ").trimEnd());
  }
}

export function printRows(rows: readonly Row[]): void {
  const header = ["operation", "parameters", "against", "ours, us", "theirs, us", "ratio", "moves"];
  const lines = rows.map(({ name, params, peer, micros, peerMicros, ratio, bytes }) => [
    name,
    params,
    peer,
    formatMicros(micros),
    formatMicros(peerMicros),
    `${ratio.toFixed(2)}x`,
    bytes === undefined ? "" : formatBytes(bytes),
  ]);
  printTable([header, ...lines]);
}

export function printSizes(rows: readonly SizeRow[]): void {
  const header = ["size", "parameters", "against", "ours", "theirs", "ratio"];
  const lines = rows.map(({ name, params, peer, bytes, peerBytes, ratio }) => [
    name,
    params,
    peer,
    formatBytes(bytes),
    formatBytes(peerBytes),
    `${ratio.toFixed(2)}x`,
  ]);
  printTable([header, ...lines]);
}

/** Writes rows; with `keep`, those of an earlier run that were not measured this time stay. */
export function writeRows<T extends { name: string; params: string }>(
  file: URL,
  rows: readonly T[],
  keep: boolean,
): void {
  const identify = ({ name, params }: T): string => `${name} ${params}`;
  const fresh = new Map(rows.map((row) => [identify(row), row]));
  const earlier: T[] = keep && existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
  const kept = earlier.map((row) => {
    const replacement = fresh.get(identify(row)) ?? row;
    fresh.delete(identify(row));
    return replacement;
  });
  writeFileSync(file, `${JSON.stringify([...kept, ...fresh.values()], null, 2)}\n`);
}
