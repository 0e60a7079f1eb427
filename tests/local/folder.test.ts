import { assertEquals, assertThrows } from "@std/assert";
import { StartFailure } from "../../local/failure.ts";
import { claimFolder } from "../../local/folder.ts";

async function inTemporaryFolder(work: (path: string) => void | Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "parley-" });
  try {
    await work(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

Deno.test("a data folder is made, and belongs to one process until it is released", () =>
  inTemporaryFolder((path) => {
    const folder = claimFolder(`${path}/a/data`, { reset: false });
    assertThrows(
      () => claimFolder(`${path}/a/data`, { reset: true }),
      StartFailure,
      "another server is using it",
    );
    folder.release();
    claimFolder(`${path}/a/data`, { reset: false }).release();
  }));

Deno.test("a folder that holds something else is neither used nor reset", () =>
  inTemporaryFolder((path) => {
    Deno.writeTextFileSync(`${path}/thesis.txt`, "years of work");
    for (const reset of [false, true]) {
      assertThrows(
        () => claimFolder(path, { reset }),
        StartFailure,
        "it holds thesis.txt, not Parley's data",
      );
    }
    assertEquals(Deno.readTextFileSync(`${path}/thesis.txt`), "years of work");
  }));

Deno.test("a path that cannot be a folder is refused in one line", () =>
  inTemporaryFolder((path) => {
    Deno.writeTextFileSync(`${path}/file`, "");
    const failure = assertThrows(() => claimFolder(`${path}/file/data`, { reset: false }), StartFailure);
    assertEquals(failure.message.split("\n").length, 1);
  }));

Deno.test("a reset deletes the data and the keys", () =>
  inTemporaryFolder((path) => {
    const folder = claimFolder(path, { reset: false });
    Deno.mkdirSync(folder.database);
    Deno.writeTextFileSync(folder.keys, "{}");
    folder.release();
    claimFolder(path, { reset: true }).release();
    assertEquals([...Deno.readDirSync(path)].map((entry) => entry.name), ["lock"]);
  }));
