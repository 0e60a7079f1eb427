import { assertEquals } from "@std/assert";
import { decodeJwt } from "jose";
import { startStack } from "../support/stack.ts";

Deno.test("the local stack", async (t) => {
  await using stack = await startStack();
  const { database } = stack;
  await database.exec(`
    create function public.who_asks() returns jsonb language sql volatile as
      $$ select jsonb_build_object('role', current_user, 'id', auth.uid(), 'claims', auth.jwt()) $$;
    grant execute on function public.who_asks() to anon, authenticated, service_role;`);

  await t.step("a user's token carries what a hosted one carries, the admin role included", async () => {
    const account = { email: "admin@example.com", password: "a long password" };
    const { data: { user } } = await stack.client().auth.signUp(account);
    await database.query(
      `update auth.users set raw_app_meta_data = raw_app_meta_data || '{"role": "admin"}' where id = $1`,
      [user!.id],
    );
    const { data: { session } } = await stack.client().auth.signInWithPassword(account);
    assertEquals(decodeJwt(session!.access_token).app_metadata, {
      provider: "email",
      providers: ["email"],
      role: "admin",
    });
    const refreshed = await stack.client().auth.refreshSession({ refresh_token: session!.refresh_token });
    const token = refreshed.data.session!.access_token;
    assertEquals(decodeJwt(token).is_anonymous, false);
    const { data: seen } = await stack.client(token).rpc("who_asks");
    assertEquals([seen.role, seen.id, seen.claims.app_metadata.role], ["authenticated", user!.id, "admin"]);
  });

  await t.step("requests at once keep their roles apart", async () => {
    const { token } = await stack.signUp();
    const asked = Array.from({ length: 30 }, (_, i) => i % 2 ? stack.client() : stack.client(token));
    const roles = await Promise.all(asked.map(async (client) => (await client.rpc("who_asks")).data.role));
    assertEquals(roles, asked.map((_, i) => i % 2 ? "anon" : "authenticated"));
  });

  await t.step("privileges are those of the migrations", async () => {
    await database.exec(
      "create table public.closed (i int); alter table public.closed enable row level security",
    );
    await database.connection.clearSchemaCache();
    await stack.client().from("closed").select();
    const granted = await database.query(
      "select grantee from information_schema.role_table_grants where table_name = 'closed' and grantee <> 'postgres'",
    );
    assertEquals(granted, []);
  });

  await t.step(
    "REST stores every JSON value as it is, and refuses a row as a hosted project does",
    async () => {
      await database.exec(`
      create table public.kept (id int primary key, value jsonb not null, text text check (text <> ''));
      grant select, insert, update on public.kept to service_role;`);
      await database.connection.clearSchemaCache();
      const headers = {
        apikey: stack.secretKey,
        "content-type": "application/json",
        prefer: "return=representation",
      };
      const send = async (method: string, query: string, row: unknown) => {
        const url = `${stack.url}/rest/v1/kept${query}`;
        const response = await fetch(url, { method, headers, body: JSON.stringify(row) });
        return { status: response.status, body: await response.json() };
      };
      const values = [true, false, 0, 1.5, "text", "true", '"', '{"a":1}', "", [], [1, "x"], {}, {
        a: [null],
      }];
      const rows = values.map((value, id) => ({ id, value, text: null }));
      assertEquals(await send("POST", "", rows), { status: 201, body: rows });
      for (const value of values) {
        assertEquals(await send("PATCH", "?id=eq.0", { value }), {
          status: 200,
          body: [{ id: 0, value, text: null }],
        });
      }
      const refused: [number, string, Record<string, unknown>][] = [
        [400, "23514", { id: 100, value: 1, text: "" }],
        [400, "23502", { id: 100, value: null }],
        [400, "22P02", { id: "x", value: 1 }],
        [409, "23505", { id: 1, value: 1 }],
      ];
      for (const [status, code, row] of refused) {
        const answer = await send("POST", "", row);
        assertEquals([answer.status, answer.body.code], [status, code], JSON.stringify(answer.body));
      }
    },
  );

  await t.step("REST and Auth need a key of the project", async () => {
    for (const path of ["/rest/v1/agents", "/auth/v1/user"]) {
      assertEquals((await discarded(await fetch(stack.url + path))).status, 401);
      const headers = { apikey: "sb_secret_guessed" };
      assertEquals((await discarded(await fetch(stack.url + path, { headers }))).status, 401);
    }
  });
});

async function discarded(response: Response): Promise<Response> {
  await response.body?.cancel();
  return response;
}
