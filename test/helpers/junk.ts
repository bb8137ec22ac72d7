/** Plain data with something else in one of its places. */

/** The paths of all values below a value of plain data, arrays by their first element alone; typed arrays are values. */
export function pathsOf(value: unknown): (string | number)[][] {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return [[]];
  const keys = Array.isArray(value) ? [0] : Object.keys(value);
  return [[], ...keys.flatMap((key) => pathsOf((value as never)[key]).map((path) => [key, ...path]))];
}

export function withValue(value: unknown, [key, ...rest]: readonly (string | number)[], replacement: unknown): unknown {
  if (key === undefined) return replacement;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string | number, unknown>;
  copy[key] = withValue(copy[key], rest, replacement);
  return copy;
}
