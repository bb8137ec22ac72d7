/** Longest piece of a file that is repeated in a message. */
const MAX_QUOTED = 100;

/** Text from a file made fit for a message of one line: shortened, control characters replaced. */
export function printable(text: string): string {
  const short = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
  return short.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, "?");
}

/** A value from a file or a caller, for a message. */
export function show(value: unknown): string {
  if (["number", "bigint", "symbol"].includes(typeof value)) return String(value);
  if (typeof value === "function") return "a function";
  try {
    return printable(JSON.stringify(value) ?? "undefined");
  } catch {
    return "an object that holds itself";
  }
}
