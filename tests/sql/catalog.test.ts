import { assertEquals } from "@std/assert";
import { openDatabase } from "../support/database.ts";
import { catalog, difference, snapshotFile } from "./catalog.ts";

Deno.test("the catalog is the one that is committed (deno task snapshot writes it)", async () => {
  await using database = await openDatabase();
  assertEquals(difference(await Deno.readTextFile(snapshotFile), await catalog(database)), []);
});
