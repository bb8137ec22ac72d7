import { expect, test } from "vitest";
import { formatTable } from "../../src/cli/format.ts";

const LOGITS = Array.from({ length: 10 }, (_, i) => i - 4.5);

test("a table is as wide as the terminal at most", () => {
  for (const width of [40, 80, 200]) {
    const lines = formatTable({ encrypted: LOGITS, plain: LOGITS }, width).split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    expect(lines.filter((line) => line.startsWith("  class"))).toHaveLength({ 40: 4, 80: 2, 200: 1 }[width]!);
  }
  // Too narrow for anything still shows a column.
  expect(formatTable({ plain: [1] }, 5)).toContain("1.0000");
});

test("large and small figures stay apart and keep five digits", () => {
  expect(formatTable({ plain: [-13274847062.4672, 35471466631.77] })).toMatch(/plain\s+-1\.3275e\+10\s+3\.5471e\+10$/);
  expect(formatTable({ plain: [1.5e-7, -2e-9] })).toMatch(/plain\s+1\.5000e-7\s+-2\.0000e-9$/);
  expect(formatTable({ plain: [-99999.5, 0] })).toMatch(/plain\s+-99999\.5000\s+0\.0000$/);
});
