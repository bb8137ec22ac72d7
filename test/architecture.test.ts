import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { expect, test } from "vitest";

/** From the bottom up, as docs/architecture.md has them: a tier may import those before it, and nothing else. */
const TIERS = [
  "errors",
  "math",
  "rlwe",
  "ckks",
  "bfv",
  "plan",
  "layers",
  "owner",
  "data",
  "builder",
  "protocol",
  "tester",
  "client",
  "server",
  "cli",
  "api",
];
/** What the order alone would allow and the design forbids. */
const FORBIDDEN: Record<string, string[]> = {
  bfv: ["ckks"],
  layers: ["owner"],
  data: TIERS.filter((tier) => tier !== "errors"),
  builder: ["owner"],
  client: ["tester"],
  server: ["owner", "client", "tester"],
  api: ["server", "cli"],
};
const source = join(import.meta.dirname, "..", "src");

function filesUnder(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesUnder(path) : [path];
  });
}

function importsOf(path: string): string[] {
  const text = readFileSync(path, "utf8");
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] as string);
}

const files = filesUnder(source)
  .filter((path) => path.endsWith(".ts"))
  .map((path) => ({ path, name: relative(source, path), imports: importsOf(path) }));
const tierOf = (name: string): string => name.split(sep)[0] as string;

test("every folder under src is a tier", () => {
  expect(new Set(files.map(({ name }) => tierOf(name)))).toEqual(new Set(TIERS));
});

test("imports point down the tiers only", () => {
  const upward = files.flatMap(({ path, name, imports }) =>
    imports
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => tierOf(relative(source, join(path, "..", specifier))))
      .filter((tier) => {
        const own = tierOf(name);
        if (tier === own) return false;
        return TIERS.indexOf(tier) > TIERS.indexOf(own) || FORBIDDEN[own]?.includes(tier);
      })
      .map((tier) => `${name} imports ${tier}`),
  );
  expect(upward).toEqual([]);
});

test("Node's own modules are used in cli and in folders called node alone", () => {
  const uses = files.filter(
    ({ name, imports }) =>
      imports.some((specifier) => specifier.startsWith("node:") || specifier.startsWith("@hono/node-server")) &&
      tierOf(name) !== "cli" &&
      !name.split(sep).includes("node"),
  );
  expect(uses.map(({ name }) => name)).toEqual([]);
});

test("the build itself knows the same tiers: every project references allowed tiers only", () => {
  for (const tier of TIERS) {
    const { references = [] } = JSON.parse(readFileSync(join(source, tier, "tsconfig.json"), "utf8"));
    for (const { path } of references as { path: string }[]) {
      const target = path.split("/").filter((part) => part !== "..")[0] as string;
      const allowed = TIERS.indexOf(target) < TIERS.indexOf(tier) && !FORBIDDEN[tier]?.includes(target);
      expect(allowed, `${tier} references ${target}`).toBe(true);
    }
  }
});

test("no source file is longer than 400 lines", () => {
  const long = files
    .map(({ path, name }) => ({ name, lines: readFileSync(path, "utf8").split("\n").length }))
    .filter(({ lines }) => lines > 400);
  expect(long).toEqual([]);
});
