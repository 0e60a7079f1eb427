import { cpus } from "node:os";

/** One line of a report. `mark` is the figure it has to reach. */
export interface Figure {
  what: string;
  value: number;
  unit: string;
  /** How many times the peer's figure, where there is one. */
  toPeer?: number;
  /** The share of the floor's figure (1 is as fast as the floor), where there is one. */
  toFloor?: number;
  mark?: Mark;
}

/** What a figure, or its ratio to the peer, has to reach. */
export interface Mark {
  of: "value" | "toPeer";
  atLeast?: number;
  atMost?: number;
}

/** Prints the figures as a table and as one line of JSON; a missed mark makes the process end with code 1. */
export function report(
  bench: string,
  figures: readonly Figure[],
  context: Record<string, unknown> = {},
): void {
  const rows = figures.map((figure) => [
    figure.what,
    `${shown(figure.value)} ${figure.unit}`.trim(),
    figure.toPeer === undefined ? "" : `${shown(figure.toPeer)} x`,
    figure.toFloor === undefined ? "" : `${shown(figure.toFloor * 100)} %`,
    figure.mark ? `${wanted(figure.mark)} ${met(figure) ? "met" : "missed"}` : "",
  ]);
  printTable([["", "median", "to peer", "of floor", "mark"], ...rows]);
  console.log(JSON.stringify({
    bench,
    ...context,
    machine: machine(),
    figures: figures.map((figure) => ({ ...rounded(figure), ...(figure.mark ? { met: met(figure) } : {}) })),
  }));
  if (!figures.every(met)) Deno.exitCode = 1;
}

/** The processors of this machine, because a figure means nothing without them. */
export function machine(): string {
  const all = cpus();
  return `${all.length} x ${all[0]?.model.trim() ?? "unknown"}`;
}

/** Prints rows in columns, the first one left aligned. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length))
  );
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)
    );
    console.log(cells.join("   ").trimEnd());
  }
}

function met({ mark, value, toPeer }: Figure): boolean {
  if (!mark) return true;
  const figure = mark.of === "value" ? value : toPeer ?? NaN;
  return (mark.atLeast === undefined || figure >= mark.atLeast) &&
    (mark.atMost === undefined || figure <= mark.atMost);
}

function wanted(mark: Mark): string {
  const unit = mark.of === "toPeer" ? " x" : "";
  return mark.atLeast !== undefined ? `>= ${mark.atLeast}${unit}` : `<= ${mark.atMost}${unit}`;
}

function shown(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en");
  return String(significant(value));
}

function rounded(figure: Figure): Omit<Figure, "mark"> & { mark?: Mark } {
  const { value, toPeer, toFloor } = figure;
  return {
    ...figure,
    value: significant(value),
    ...(toPeer === undefined ? {} : { toPeer: significant(toPeer) }),
    ...(toFloor === undefined ? {} : { toFloor: significant(toFloor) }),
  };
}

function significant(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(value >= 0.9 && value <= 1 ? 4 : 3));
}
