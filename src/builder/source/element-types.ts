/** Element types of weights, as files store them. Only those with `read` can be weights. */

export interface ElementType {
  /** PyTorch's name: `float32`. */
  readonly name: string;
  /** Width of an element. */
  readonly bytes: number;
  /** The element at a byte offset, widened exactly to a double. */
  readonly read?: (view: DataView, at: number, littleEndian: boolean) => number;
}

export const FLOAT32: ElementType = {
  name: "float32",
  bytes: 4,
  read: (view, at, littleEndian) => view.getFloat32(at, littleEndian),
};

export const FLOAT64: ElementType = {
  name: "float64",
  bytes: 8,
  read: (view, at, littleEndian) => view.getFloat64(at, littleEndian),
};

export const FLOAT16: ElementType = {
  name: "float16",
  bytes: 2,
  read: (view, at, littleEndian) => halfToNumber(view.getUint16(at, littleEndian)),
};

export const BFLOAT16: ElementType = { name: "bfloat16", bytes: 2, read: bfloat16ToNumber };

/** IEEE 754 binary16: DataView.getFloat16 is missing from the oldest runtimes that are supported. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const SINGLE = new DataView(new ArrayBuffer(4));

/** bfloat16 is the upper half of a binary32. */
function bfloat16ToNumber(view: DataView, at: number, littleEndian: boolean): number {
  SINGLE.setUint32(0, view.getUint16(at, littleEndian) << 16);
  return SINGLE.getFloat32(0);
}
