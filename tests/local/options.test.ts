import { assertEquals, assertThrows } from "@std/assert";
import { StartFailure } from "../../local/failure.ts";
import { readOptions } from "../../local/options.ts";

Deno.test("start has its defaults and takes its flags", () => {
  const defaults = {
    port: 54321,
    dataDir: ".parley/data",
    demoFile: ".parley/demo.env",
    memory: false,
    reset: false,
    databaseUrl: null,
  };
  assertEquals(readOptions([], undefined), defaults);
  assertEquals(readOptions([], " "), defaults);
  assertEquals(readOptions(["--data-dir=./.parley/data/"], undefined)?.demoFile, ".parley/demo.env");
  assertEquals(readOptions(["--port", "0", "--data-dir=x", "--reset"], undefined), {
    ...defaults,
    port: 0,
    dataDir: "x",
    demoFile: "x/demo.env",
    reset: true,
  });
  const memory = (isInUse: boolean, ...more: string[]) =>
    readOptions(["--memory", ...more], undefined, () => isInUse)?.demoFile;
  assertEquals([memory(false), memory(true)], [".parley/demo.env", ".parley/memory.env"]);
  assertEquals(memory(true, "--data-dir=x"), "x/demo.env");
  assertEquals(readOptions([], "postgres://u@h/d")?.databaseUrl, "postgres://u@h/d");
  assertEquals(readOptions(["--help"], undefined), null);
});

Deno.test("start refuses in one line what it cannot do", () => {
  const refused: [string[], string | undefined, string][] = [
    [["--prot", "1"], undefined, "--prot"],
    [["8080"], undefined, "8080"],
    [["--port", "http"], undefined, "0 to 65535"],
    [["--port", "70000"], undefined, "0 to 65535"],
    [["--port"], undefined, "--port"],
    [["--data-dir="], undefined, "the path is empty"],
    [[], "mysql://h/d", "postgres://"],
    [[], "not an address", "postgres://"],
    [["--memory"], "postgres://h/d", "--memory together with DATABASE_URL"],
    [["--reset"], "postgres://h/d", "--reset together with DATABASE_URL"],
  ];
  for (const [args, url, expected] of refused) {
    const failure = assertThrows(() => readOptions(args, url), StartFailure, expected);
    assertEquals(failure.message.includes("\n"), false);
  }
});
