/** Names files that are no images, or images of another kind, so that the error can say what they are. */

interface Foreign {
  readonly what: string;
  readonly remedy: string;
}

const PICTURE = "convert it to PNG";
const SIGNATURES: readonly (readonly [prefix: string, what: string, remedy: string])[] = [
  ["\xff\xd8\xff", "a JPEG picture", PICTURE],
  ["GIF8", "a GIF picture", PICTURE],
  ["RIFF", "a WebP picture or another RIFF file", PICTURE],
  ["BM", "a BMP picture", PICTURE],
  ["II*\0", "a TIFF picture", PICTURE],
  ["MM\0*", "a TIFF picture", PICTURE],
  ["\x89HDF", "an HDF5 file", "save its array with numpy.save"],
  ["PK\x03\x04", "a zip archive (a .npz file is one)", "save one array with numpy.save, or unpack it"],
  ["\x1f\x8b", "gzip inside gzip", "unpack it once"],
  ["version https://git-lfs", "a Git LFS pointer, not the file itself", "run git lfs pull"],
  ["<", "a web page or XML text", "download the file itself"],
  ["%PDF", "a PDF document", PICTURE],
];

/** Bytes looked at to tell text from data. */
const PROBE_BYTES = 512;

/** What bytes are that no reader here takes; undefined where nothing is recognised. */
export function describeForeign(bytes: Uint8Array): Foreign | undefined {
  if (bytes.length === 0) return { what: "empty", remedy: "copy the file again" };
  const start = String.fromCharCode(...bytes.subarray(0, PROBE_BYTES));
  for (const [prefix, what, remedy] of SIGNATURES) if (start.startsWith(prefix)) return { what, remedy };
  if (/^[\t\n\r\x20-\x7e\x80-\xff]*$/.test(start))
    return { what: "a text file", remedy: "save the array with numpy.save" };
  return undefined;
}
