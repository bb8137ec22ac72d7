// Compiles src/math/wasm/assembly to src/math/wasm/kernels.gen.ts: the module as base64 with its SHA-256. With --check it only says
// whether the committed file is what the source compiles to.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const folder = join(dirname(fileURLToPath(import.meta.url)), "..", "src", "math", "wasm");
const target = join(folder, "kernels.gen.ts");
const options = [
  "--optimizeLevel",
  "3",
  "--shrinkLevel",
  "0",
  "--enable",
  "simd",
  "--importMemory",
  "--runtime",
  "stub",
  "--noAssert",
];
const shared = ["--enable", "threads", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"];

async function compile(extra) {
  const outputs = new Map();
  const { error, stderr } = await asc.main(["index.ts", "--outFile", "kernels.wasm", ...options, ...extra], {
    readFile: (name) => {
      try {
        return readFileSync(join(folder, "assembly", name), "utf8");
      } catch {
        return null;
      }
    },
    writeFile: (name, contents) => void outputs.set(name, contents),
    listFiles: () => [],
  });
  if (error) {
    console.error(`${error.message}\n${stderr.toString()}`);
    process.exit(1);
  }
  return Buffer.from(outputs.get("kernels.wasm"));
}

const describe = (name, wasm, memory) => `
/** On ${memory} memory: ${wasm.length} bytes, SHA-256 ${createHash("sha256").update(wasm).digest("hex")}. */
export const ${name}: string =
  "${wasm.toString("base64")}";
`;
const text = `// Generated from assembly/ by tools/build-wasm.mjs, which CI repeats. Do not edit.
${describe("KERNELS_BASE64", await compile([]), "unshared")}${describe("SHARED_KERNELS_BASE64", await compile(shared), "shared")}`;
if (process.argv.includes("--check")) {
  if (readFileSync(target, "utf8") !== text) {
    console.error("src/math/wasm/kernels.gen.ts is not what its source compiles to: run npm run build:wasm");
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
  console.error(`kernels.gen.ts: ${text.length} characters`);
}
