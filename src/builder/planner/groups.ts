/** A network as a chain of squares and affine maps, with the maps that fusing neighbours gives. */

import { type AffineMap, composeAffine } from "../../plan/index.ts";
import type { NetworkStep } from "../network.ts";

/** More entries, or products to find them, make a fused map slower to search than it could save. */
const FUSION_LIMIT = { nonzeros: 4_000_000, products: 32_000_000 };

export type LayerRange = readonly [first: number, last: number];

/** A square, or an affine map that is not the identity unless it stands alone between squares. */
export type ChainLink =
  | { readonly kind: "square"; readonly layers: LayerRange }
  | { readonly kind: "affine"; readonly layers: LayerRange; readonly map: AffineMap };

/** The links `start` … `end - 1` as one map. */
export interface AffineGroup {
  readonly start: number;
  readonly end: number;
  readonly layers: LayerRange;
  readonly map: AffineMap;
}

/** The steps in order; maps that only change the shape become part of a neighbour. */
export function chainOf(steps: readonly NetworkStep[]): ChainLink[] {
  const links: ChainLink[] = [];
  for (const { index, algebra } of steps) {
    const previous = links.at(-1);
    if (algebra.kind === "square") {
      links.push({ kind: "square", layers: [index, index] });
    } else if (previous?.kind === "affine" && (isIdentity(algebra.map) || isIdentity(previous.map))) {
      const map = composeAffine(algebra.map, previous.map);
      links[links.length - 1] = { kind: "affine", layers: [previous.layers[0], index], map };
    } else {
      links.push({ kind: "affine", layers: [index, index], map: algebra.map });
    }
  }
  return links;
}

function isIdentity({ rowStart, column, weight, bias }: AffineMap): boolean {
  return (
    column.length === bias.length &&
    column.every((at, row) => at === row && rowStart[row] === row) &&
    weight.every((value) => value === 1) &&
    bias.every((value) => value === 0)
  );
}

/** By first link: every run of neighbouring maps that may be fused, shortest first. */
export function affineGroups(links: readonly ChainLink[]): AffineGroup[][] {
  return links.map((first, start) => {
    const groups: AffineGroup[] = [];
    if (first.kind === "square") return groups;
    let { map } = first;
    for (let end = start + 1; ; end++) {
      groups.push({ start, end, layers: [first.layers[0], links[end - 1].layers[1]], map });
      const next = links[end];
      if (next?.kind !== "affine") return groups;
      const fused = composeAffine(next.map, map, FUSION_LIMIT);
      if (fused === undefined) return groups;
      map = fused;
    }
  });
}

/** By boundary (before each link, and after the last): the fewest products from there to the end. */
export function productsToCome(links: readonly ChainLink[], groups: readonly AffineGroup[][]): Int32Array {
  const products = new Int32Array(links.length + 1);
  for (let at = links.length - 1; at >= 0; at--) {
    const ends = links[at].kind === "square" ? [at + 1] : groups[at].map(({ end }) => end);
    products[at] = 1 + Math.min(...ends.map((end) => products[end]));
  }
  return products;
}
