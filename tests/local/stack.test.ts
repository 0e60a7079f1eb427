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
