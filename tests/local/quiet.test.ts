import { assertEquals } from "@std/assert";
import { quietConsole, quietly } from "../../local/quiet.ts";

Deno.test("of what the REST server writes, only the codes of faults reach the console", async () => {
  const lines: string[] = [];
  const { error } = console;
  console.error = (...values: unknown[]) => lines.push(values.join(" "));
  try {
    quietConsole();
    const write = (code: string) => console.error(Object.assign(new Error("a visitor's message"), { code }));
    await quietly(() => Promise.resolve(["PT429", "23505", "42501"].forEach(write)));
    await quietly(() =>
      Promise.resolve(console.error(Object.assign(new Error("no table"), { relation: "x" })))
    );
    assertEquals(lines, []);
    await quietly(() => Promise.resolve(["XX000"].forEach(write)));
    console.error("a line of somebody else");
    assertEquals(lines, ["rest: XX000", "a line of somebody else"]);
  } finally {
    console.error = error;
  }
});
