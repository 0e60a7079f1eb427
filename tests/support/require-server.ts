// Ends a task that needs a real server before tests that would quietly run on the embedded database.
if (!Deno.env.get("DATABASE_URL")) {
  console.error(
    "Cannot run the tests on PostgreSQL: set DATABASE_URL to a PostgreSQL 17 server with pgvector, such as " +
      "postgresql://postgres@127.0.0.1:5432/postgres, as a role that may make databases and roles",
  );
  Deno.exit(1);
}
