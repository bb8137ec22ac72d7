/** The product of two ciphertexts: the tensor product of their components, scaled by t/Q and rounded (see `product-maps.ts`). */

import {
  allocatePolynomial,
  applyBasisMap,
  type BasisMap,
  type Domain,
  type HeapBlock,
  limbOffset,
  MAX_DOT_PRODUCT_TERMS,
  type MappedLimbs,
  type Polynomial,
  type Ring,
} from "../math/index.ts";
import type { BfvContext } from "./parameters.ts";
import {
  HPS_MAXIMUM_COMPONENTS,
  type HpsMaps,
  type HpsOverQMaps,
  type ProductMaps,
  type ProductVariant,
} from "./product-maps.ts";

/** Word offsets of a polynomial's limbs. */
type Limbs = readonly number[];

/** Memory of one product, given back as a whole. */
interface Workspace {
  /** Offsets of `count` new limbs, each in sets of the cache of its own. */
  limbs(count: number): number[];
  free(): void;
}

/** Words between limbs: without them all would begin in one set of the first-level cache, and sums of many be slower (`math/heap.ts`). */
const GAP = 16;

function createWorkspace({ heap, degree }: Ring): Workspace {
  const blocks: HeapBlock[] = [];
  return {
    limbs(count) {
      const block = heap.allocate(count * (degree + GAP), true);
      blocks.push(block);
      return Array.from({ length: count }, (_, i) => block.offset + i * (degree + GAP));
    },
    free() {
      for (const block of blocks) block.free();
    },
  };
}

/**
 * Components of the product, one fewer than both operands have together; coefficient form.
 *
 * @param left Components over one data basis, in either domain.
 * @param right As `left`; the same array is a square, which costs less.
 * @param variant The algorithm; what takes less work by default.
 */
export function multiplyComponents(
  context: BfvContext,
  left: readonly Polynomial[],
  right: readonly Polynomial[],
  variant: ProductVariant = defaultVariant(context, left, right),
): Polynomial<"coefficient">[] {
  const { ring } = context;
  const level = left[0]!.basis.length - 1;
  const maps = context.productMaps(level)[variant];
  const workspace = createWorkspace(ring);
  try {
    const [a, b] =
      maps.variant === "hps"
        ? liftBoth(ring, maps, left, right, workspace)
        : scaleOne(ring, maps, left, right, workspace);
    const products = tensorProduct(ring, context.dataBasis(level), maps, [[a, b]], workspace);
    return scaleProducts(ring, context.dataBasis(level), maps, products, workspace);
  } finally {
    workspace.free();
  }
}

/**
 * The sum of squares, scaled once: less work than squares that are added up, and one rounding. Coefficient form. By HPS, for which the context
 * was made with `productTerms` of at least twice the number of operands.
 *
 * @param operands Pairs of components over one data basis; at most {@link MAX_SQUARES}.
 */
export function sumOfSquares(
  context: BfvContext,
  operands: readonly (readonly Polynomial[])[],
): Polynomial<"coefficient">[] {
  const { ring } = context;
  const all = operands.flat();
  const level = all[0]!.basis.length - 1;
  const data = context.dataBasis(level);
  const { hps: maps } = context.productMaps(level);
  const workspace = createWorkspace(ring);
  try {
    const [limbs] = liftBoth(ring, maps, all, all, workspace);
    const pairs = operands.map((_, i): [Limbs[], Limbs[]] => {
      const own = limbs.slice(2 * i, 2 * i + 2);
      return [own, own];
    });
    return scaleProducts(ring, data, maps, tensorProduct(ring, data, maps, pairs, workspace), workspace);
  } finally {
    workspace.free();
  }
}

/** Operands of {@link sumOfSquares}: the middle component sums two products of each. */
export const MAX_SQUARES: number = MAX_DOT_PRODUCT_TERMS / 2;

function defaultVariant(
  context: BfvContext,
  left: readonly Polynomial[],
  right: readonly Polynomial[],
): ProductVariant {
  const maps: ProductMaps = context.productMaps(left[0]!.basis.length - 1);
  if (Math.min(left.length, right.length) > HPS_MAXIMUM_COMPONENTS) return "hpsOverQ";
  return left === right ? maps.forSquare : maps.forProduct;
}

function copyLimbs(source: Polynomial, outs: Limbs): void {
  const { heap, degree } = source.ring;
  for (const [k, out] of outs.entries()) {
    const from = limbOffset(source, k);
    heap.words.copyWithin(out, from, from + degree);
  }
}

/** The y_j of each component, for a map from its basis. */
function scaledLimbs(
  ring: Ring,
  { source, sourceScalars }: BasisMap,
  components: readonly Polynomial[],
  workspace: Workspace,
): Limbs[] {
  const { kernels, degree, moduli, tables } = ring;
  const k = source.length;
  const scaled = components.map(() => workspace.limbs(k));
  for (const [i, component] of components.entries()) {
    if (component.domain === "ntt") copyLimbs(component, scaled[i]!);
  }
  ring.parallel(components.length * k, (task) => {
    const i = Math.floor(task / k);
    const j = task % k;
    const component = components[i]!;
    const out = scaled[i]![j]!;
    const index = source[j]!;
    if (component.domain === "ntt") kernels.inverseNtt(out, tables[index]!);
    const from = component.domain === "ntt" ? out : limbOffset(component, j);
    kernels.multiplyScalar(out, from, sourceScalars[j]!, degree, moduli[index]!);
  });
  return scaled;
}

/** NTT values of components modulo their own primes. */
function nttLimbs(ring: Ring, components: readonly Polynomial<Domain>[], workspace: Workspace): Limbs[] {
  const { kernels, tables } = ring;
  return components.map((component) => {
    const { basis, domain } = component;
    if (domain === "ntt") return basis.map((_, k) => limbOffset(component, k));
    const limbs = workspace.limbs(basis.length);
    copyLimbs(component, limbs);
    ring.parallel(basis.length, (k) => kernels.forwardNtt(limbs[k]!, tables[basis[k]!]!));
    return limbs;
  });
}

/** Applies a map whose results are transformed. */
function mapToNtt(ring: Ring, map: BasisMap, scaled: readonly Limbs[], workspace: Workspace): Limbs[] {
  const { kernels, tables } = ring;
  const polynomials = prepare(scaled, map, workspace);
  applyBasisMap(ring, map, polynomials, (i, m) =>
    kernels.forwardNtt(polynomials[i]!.outs[m]!, tables[map.target[m]!]!),
  );
  return polynomials.map(({ outs }) => outs);
}

function prepare(scaled: readonly Limbs[], map: BasisMap, workspace: Workspace): MappedLimbs[] {
  return scaled.map((limbs) => ({
    scaled: limbs,
    rounding: workspace.limbs(2) as [number, number],
    outs: workspace.limbs(map.target.length),
  }));
}

/** HPS: NTT limbs of both operands over data and auxiliary primes. */
function liftBoth(
  ring: Ring,
  { lift }: HpsMaps,
  left: readonly Polynomial[],
  right: readonly Polynomial[],
  workspace: Workspace,
): [Limbs[], Limbs[]] {
  const all = left === right ? left : [...left, ...right];
  const own = nttLimbs(ring, all, workspace);
  const lifted = mapToNtt(ring, lift, scaledLimbs(ring, lift, all, workspace), workspace);
  const extended = all.map((_, i) => [...own[i]!, ...lifted[i]!]);
  return left === right ? [extended, extended] : [extended.slice(0, left.length), extended.slice(left.length)];
}

/** HPS over Q: the left operand lifted, the right one scaled by R/Q and lifted from there. */
function scaleOne(
  ring: Ring,
  { lift, scaleOperand, liftOperand }: HpsOverQMaps,
  left: readonly Polynomial[],
  right: readonly Polynomial[],
  workspace: Workspace,
): [Limbs[], Limbs[]] {
  const { kernels, degree, moduli, tables } = ring;
  const leftScaled = scaledLimbs(ring, lift, left, workspace);
  // Both maps want the same multiples of the data limbs.
  const rightScaled = left === right ? leftScaled : scaledLimbs(ring, scaleOperand, right, workspace);
  const own = nttLimbs(ring, left, workspace);
  const lifted = mapToNtt(ring, lift, leftScaled, workspace);

  const quotients = prepare(rightScaled, scaleOperand, workspace);
  const multiples = quotients.map(({ outs }) => workspace.limbs(outs.length));
  applyBasisMap(ring, scaleOperand, quotients, (i, m) => {
    const index = scaleOperand.target[m]!;
    const limb = quotients[i]!.outs[m]!;
    kernels.multiplyScalar(multiples[i]![m]!, limb, liftOperand.sourceScalars[m]!, degree, moduli[index]!);
    kernels.forwardNtt(limb, tables[index]!);
  });
  const liftedBack = mapToNtt(ring, liftOperand, multiples, workspace);
  return [
    left.map((_, i) => [...own[i]!, ...lifted[i]!]),
    right.map((_, i) => [...liftedBack[i]!, ...quotients[i]!.outs]),
  ];
}

/**
 * All products of components whose indices add up alike, summed over the pairs of operands; in coefficient form, limbs that are sources of the
 * next map already multiplied for it.
 */
function tensorProduct(
  ring: Ring,
  data: readonly number[],
  { auxiliary, scale }: HpsMaps | HpsOverQMaps,
  pairs: readonly (readonly [readonly Limbs[], readonly Limbs[]])[],
  workspace: Workspace,
): Limbs[] {
  const { kernels, degree, moduli, tables } = ring;
  const basis = [...data, ...auxiliary];
  const [a, b] = pairs[0]!;
  const products = Array.from({ length: a.length + b.length - 1 }, () => workspace.limbs(basis.length));
  ring.parallel(products.length * basis.length, (task) => {
    // Modulus by modulus, so that the components' limbs, which all products share, stay in the cache.
    const c = task % products.length;
    const m = Math.floor(task / products.length);
    const index = basis[m]!;
    const out = products[c]![m]!;
    const firsts = a.map((_, i) => i).filter((i) => c - i >= 0 && c - i < b.length);
    const lefts = pairs.flatMap(([left]) => firsts.map((i) => left[i]![m]!));
    const rights = pairs.flatMap(([, right]) => firsts.map((i) => right[c - i]![m]!));
    kernels.dotProduct(out, lefts, rights, degree, moduli[index]!);
    kernels.inverseNtt(out, tables[index]!);
    const j = scale.source.indexOf(index);
    if (j >= 0) kernels.multiplyScalar(out, out, scale.sourceScalars[j]!, degree, moduli[index]!);
  });
  return products;
}

/** t/Q times the products, rounded, over the data primes. */
function scaleProducts(
  ring: Ring,
  data: readonly number[],
  maps: HpsMaps | HpsOverQMaps,
  products: readonly Limbs[],
  workspace: Workspace,
): Polynomial<"coefficient">[] {
  const { kernels, degree, moduli } = ring;
  const { scale } = maps;
  const k = data.length;
  const results = products.map(() => allocatePolynomial(ring, data, "coefficient"));
  const resultLimbs = results.map((result) => data.map((_, i) => limbOffset(result, i)));
  const dataFirst = maps.variant === "hps";
  const mapped = products.map((limbs, i) => ({
    scaled: dataFirst ? limbs.slice(0, k) : limbs.slice(k),
    own: dataFirst ? limbs.slice(k) : limbs.slice(0, k),
    rounding: workspace.limbs(2) as [number, number],
    outs: dataFirst ? workspace.limbs(scale.target.length) : resultLimbs[i]!,
  }));
  if (maps.variant === "hpsOverQ") {
    applyBasisMap(ring, scale, mapped);
    return results;
  }
  const { back } = maps;
  applyBasisMap(ring, scale, mapped, (i, m) => {
    const limb = mapped[i]!.outs[m]!;
    kernels.multiplyScalar(limb, limb, back.sourceScalars[m]!, degree, moduli[scale.target[m]!]!);
  });
  applyBasisMap(
    ring,
    back,
    mapped.map(({ rounding, outs }, i) => ({ scaled: outs, rounding, outs: resultLimbs[i]! })),
  );
  return results;
}
