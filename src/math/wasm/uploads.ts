/** What kernels read besides limbs, copied into the heap when it is first used: tables of roots, primes' constants, permutations. */

import type { Heap } from "../heap.ts";
import { type Modulus, multiplyMod } from "../modular.ts";
import type { NttTable } from "../ntt-table.ts";

const WORD_BYTES = 4;
const TWO_32 = 2 ** 32;
/** Words of a prime's constants block (`assembly/lanes.ts`). */
const CONSTANT_WORDS = 4;
const CONSTANTS_AT_ONCE = 256;

/** floor(w * 2^32 / p) for w < p < 2^30, exactly: the quotient of a 62-bit number, 16 bits at a time. */
export function shoupQuotient(w: number, p: number): number {
  const high = Math.floor((w * 65_536) / p);
  const rest = w * 65_536 - high * p;
  return high * 65_536 + Math.floor((rest * 65_536) / p);
}

function shoupQuotients(list: Int32Array, p: number): Int32Array {
  const quotients = new Int32Array(list.length);
  for (let i = 0; i < list.length; i++) quotients[i] = shoupQuotient(list[i], p);
  return quotients;
}

/** Values that an automorphism leaves together, and the most orders of them that a table holds (`assembly/permutation.ts`). */
const GROUP = 4;
const MAX_ORDERS = 16;

/** The table by which the kernels permute: orders of four values, then for each four values where they go and in which order. */
function placesOf(permutation: Int32Array): [orders: Int32Array, entries: Int32Array] {
  const orders = new Int32Array(MAX_ORDERS * GROUP);
  const entries = new Int32Array(permutation.length / GROUP);
  const known: string[] = [];
  for (let to = 0; to < permutation.length; to += GROUP) {
    const order = Array.from(permutation.subarray(to, to + GROUP), (from) => from % GROUP);
    const name = order.join();
    if (!known.includes(name)) {
      // A word's four bytes, least significant first.
      orders.set(
        order.map((lane) => 0x03020100 + 0x04040404 * lane),
        known.length * GROUP,
      );
      known.push(name);
    }
    entries[Math.floor(permutation[to] / GROUP)] = to * WORD_BYTES + known.indexOf(name);
  }
  return [orders, entries];
}

/** Addresses of a table's four lists of N words. */
export interface TableAddresses {
  readonly roots: number;
  readonly quotients: number;
  readonly inverseRoots: number;
  readonly inverseQuotients: number;
  readonly scaleQuotient: number;
  /** The root of the last inverse layer, divided by N. */
  readonly scaledRoot: number;
  readonly scaledRootQuotient: number;
}

/** Byte addresses; what they stand for stays as long as the heap. */
export interface Uploads {
  tableAddresses(table: NttTable): TableAddresses;
  constantsAddress(modulus: Modulus): number;
  placesAddress(permutation: Int32Array): number;
}

export function createUploads(heap: Heap): Uploads {
  const tables = new WeakMap<NttTable, TableAddresses>();
  const places = new WeakMap<Int32Array, number>();
  const constants = new WeakMap<Modulus, number>();
  let constantsOffset = 0;
  let constantsLeft = 0;

  function upload(...lists: ArrayLike<number>[]): number {
    const offset = heap.allocatePermanent(lists.reduce((sum, list) => sum + list.length, 0));
    let at = offset;
    for (const list of lists) {
      heap.words.set(list, at);
      at += list.length;
    }
    return offset * WORD_BYTES;
  }

  function tableAddresses(table: NttTable): TableAddresses {
    let found = tables.get(table);
    if (!found) {
      const { ringDegree, roots, inverseRoots, inverseDegree, modulus } = table;
      const start = upload(
        roots,
        shoupQuotients(roots, modulus.value),
        inverseRoots,
        shoupQuotients(inverseRoots, modulus.value),
      );
      const scaledRoot = multiplyMod(inverseRoots[1], inverseDegree, modulus);
      const list = (i: number): number => start + i * ringDegree * WORD_BYTES;
      found = {
        roots: list(0),
        quotients: list(1),
        inverseRoots: list(2),
        inverseQuotients: list(3),
        scaleQuotient: shoupQuotient(inverseDegree, modulus.value),
        scaledRoot,
        scaledRootQuotient: shoupQuotient(scaledRoot, modulus.value),
      };
      tables.set(table, found);
    }
    return found;
  }

  function constantsAddress(modulus: Modulus): number {
    let found = constants.get(modulus);
    if (found === undefined) {
      const { value: p } = modulus;
      if (constantsLeft === 0) {
        constantsOffset = heap.allocatePermanent(CONSTANT_WORDS * CONSTANTS_AT_ONCE);
        constantsLeft = CONSTANTS_AT_ONCE;
      }
      const offset = constantsOffset + CONSTANT_WORDS * --constantsLeft;
      const wrap = TWO_32 % p;
      heap.words.set([p, Math.floor(TWO_32 / p), wrap, shoupQuotient(wrap, p)], offset);
      found = offset * WORD_BYTES;
      constants.set(modulus, found);
    }
    return found;
  }

  function placesAddress(permutation: Int32Array): number {
    let found = places.get(permutation);
    if (found === undefined) {
      found = upload(...placesOf(permutation));
      places.set(permutation, found);
    }
    return found;
  }

  return { tableAddresses, constantsAddress, placesAddress };
}
