/** `npm run bench:plot`: draws `docs/performance.svg` from `results.json`. */

import { readFileSync, writeFileSync } from "node:fs";
import type { Row } from "./measure.ts";
import { RESULTS } from "./report.ts";

const TARGET = new URL("../../docs/performance.svg", import.meta.url);
const WIDTH = 860;
const BAR = { left: 330, height: 14, gap: 6, top: 58 };
/** A logarithmic axis, since a ratio of 2 and one of 1/2 are equally far from 1. */
const AXIS = { least: 0.25, most: 16, ticks: [0.25, 0.5, 1, 2, 4, 8, 16] };

const position = (ratio: number): number => {
  const { least, most } = AXIS;
  const part = Math.log2(Math.min(Math.max(ratio, least), most) / least) / Math.log2(most / least);
  return BAR.left + part * (WIDTH - BAR.left - 70);
};

const escapeText = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** One bar a row, from the line of equal speed to its ratio. */
function drawRow({ name, params, ratio }: Row, index: number): string {
  const y = BAR.top + index * (BAR.height + BAR.gap);
  const [from, to] = [position(1), position(ratio)].sort((left, right) => left - right) as [number, number];
  const note = /wide|alpha 2/.exec(params)?.[0];
  const label = escapeText(note ? `${name} (${note === "wide" ? "peer's wide primes" : note})` : name);
  return [
    `<text x="${BAR.left - 8}" y="${y + 11}" text-anchor="end">${label}</text>`,
    `<rect x="${from.toFixed(1)}" y="${y}" width="${(to - from).toFixed(1)}" height="${BAR.height}" class="${ratio >= 1 ? "faster" : "slower"}"/>`,
    `<text x="${(to + 5).toFixed(1)}" y="${y + 11}">${ratio.toFixed(1)}x</text>`,
  ].join("\n");
}

function drawTick(ratio: number, bottom: number): string {
  const x = position(ratio).toFixed(1);
  return [
    `<line x1="${x}" y1="${BAR.top - 6}" x2="${x}" y2="${bottom}" class="${ratio === 1 ? "even" : "tick"}"/>`,
    `<text x="${x}" y="${BAR.top - 12}" text-anchor="middle">${ratio}x</text>`,
  ].join("\n");
}

const results: Row[] = JSON.parse(readFileSync(RESULTS, "utf8"));
const rows = results.filter(({ name }) => name.startsWith("ckks/"));
const bottom = BAR.top + rows.length * (BAR.height + BAR.gap);
const drawing = [
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 12}" font-family="sans-serif" font-size="12" role="img">`,
  "<title>Speed of CKKS operations relative to node-seal at N = 8192, from bench/results.json</title>",
  "<style>text{fill:#333}.faster{fill:#2a7f62}.slower{fill:#b5533c}.tick{stroke:#ddd}.even{stroke:#666}</style>",
  `<rect width="${WIDTH}" height="${bottom + 12}" fill="#fff"/>`,
  `<text x="12" y="22" font-size="15">Times as fast as node-seal, N = 8192, one thread</text>`,
  ...AXIS.ticks.map((tick) => drawTick(tick, bottom)),
  ...rows.map(drawRow),
  "</svg>",
];
writeFileSync(TARGET, `${drawing.join("\n")}\n`);
console.log(`${rows.length} bars`);
