/** Plain data for several threads. */

/**
 * Copies data with its typed arrays in shared memory, so that threads to which it is posted read the same bytes instead of copies of them.
 * Arrays that are used twice stay one.
 *
 * @param data Plain data: primitives, arrays, objects, `Float64Array`, `Int32Array`. What is frozen by its type must not be written to by anyone.
 * @throws TypeError for anything else.
 */
export function shareArrays<T>(data: T): T {
  const shared = new Map<object, unknown>();

  function share(value: unknown): unknown {
    if (typeof value === "function" || typeof value === "symbol") throw new TypeError(`a ${typeof value} is not data`);
    if (typeof value !== "object" || value === null) return value;
    let copy = shared.get(value);
    if (copy === undefined) {
      copy = shareObject(value);
      shared.set(value, copy);
    }
    return copy;
  }

  function shareObject(value: object): unknown {
    if (value instanceof Float64Array) {
      const copy = new Float64Array(new SharedArrayBuffer(value.byteLength));
      copy.set(value);
      return copy;
    }
    if (value instanceof Int32Array) {
      const copy = new Int32Array(new SharedArrayBuffer(value.byteLength));
      copy.set(value);
      return copy;
    }
    if (Array.isArray(value)) return value.map(share);
    if (Object.getPrototypeOf(value) !== Object.prototype) throw new TypeError(`${value.constructor.name} is not data`);
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, share(part)]));
  }

  return share(data) as T;
}
