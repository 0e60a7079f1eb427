import { assertEquals } from "@std/assert";
import type { Session } from "../../local/database.ts";
import { refusal, signUp } from "./people.ts";
import { rolledBack } from "./rolled-back.ts";
import { admit, call, makeClient } from "./turns.ts";

const noon = Date.parse("2026-11-20T12:00:00Z");
const at = (seconds: number) => new Date(noon + 1000 * seconds).toISOString();
const model = ["mistral", "large"] as const;

interface Failure {
  of?: readonly [provider: string, model: string];
  retryAfter?: number;
  error?: string;
  key?: string;
}

/** Notes a failure so many seconds after noon. */
async function fail(session: Session, seconds: number, failure: Failure = {}): Promise<void> {
  const { of = model, retryAfter = null, error = null, key = null } = failure;
  await session.query("select private.note_failure($1, $2, $3, $4, $5, $6)", [
    ...of,
    retryAfter,
    error,
    key,
    at(seconds),
  ]);
}

interface States {
  unhealthy: string[];
  ailing: string[];
}

/** What an admission so many seconds after noon is told. */
async function states(
  session: Session,
  seconds: number,
  models = ["mistral/large"],
  key?: string,
): Promise<States> {
  const [row] = await session.query<{ s: States }>("select private.provider_states($1, $2, $3) as s", [
    models,
    key ?? null,
    at(seconds),
  ]);
  return row!.s;
}

/** Until when a model is skipped, in seconds after noon; null when it is not. */
async function pausedUntil(session: Session): Promise<number | null> {
  const [row] = await session.query<{ until: string | null }>(
    "select skip_until as until from public.provider_health",
  );
  return row?.until ? (Date.parse(row.until) - noon) / 1000 : null;
}

async function makeKey(session: Session, provider = "mistral"): Promise<string> {
  const [key] = await session.query<{ id: string }>(
    `insert into public.provider_keys (user_id, provider, ciphertext, secret_id, key_hash, masked_key)
     values ($1, $2, 'x', '1', repeat('a', 64), 'x') returning id`,
    [await signUp(session), provider],
  );
  return key!.id;
}

rolledBack("a model that never failed is neither unhealthy nor ailing", async (session) => {
  assertEquals(await states(session, 0), { unhealthy: [], ailing: [] });
});

rolledBack(
  "a model is skipped from the third failure in a row, for longer each time, at most five minutes",
  async (session) => {
    const pauses: (number | null)[] = [];
    let now = 0;
    for (let failures = 1; failures <= 9; failures++) {
      await fail(session, now);
      const until = await pausedUntil(session);
      pauses.push(until === null ? null : until - now);
      now = (until ?? now) + 1;
    }
    assertEquals(pauses, [null, null, 15, 30, 60, 120, 240, 300, 300]);
    assertEquals((await states(session, now - 2)).unhealthy, ["mistral/large"]);
  },
);

rolledBack("a model that has failed and is not skipped is ailing", async (session) => {
  await fail(session, 0);
  assertEquals(await states(session, 1), { unhealthy: [], ailing: ["mistral/large"] });
});

rolledBack("what a crowd reports at once is one pause", async (session) => {
  for (let n = 0; n < 40; n++) await fail(session, 0.001 * n);
  assertEquals(await pausedUntil(session), 15.002);
});

rolledBack("a wait that the provider names is kept at once, at most five minutes", async (session) => {
  await fail(session, 0, { retryAfter: 40 });
  assertEquals(await pausedUntil(session), 40);
  await fail(session, 1, { retryAfter: 86_400 });
  assertEquals(await pausedUntil(session), 301);
});

rolledBack("after the pause one turn tries, and the others wait for what it reports", async (session) => {
  for (const second of [0, 1, 2]) await fail(session, second);
  assertEquals((await states(session, 16)).unhealthy, ["mistral/large"]);
  assertEquals(await states(session, 18), { unhealthy: [], ailing: ["mistral/large"] });
  assertEquals((await states(session, 18)).unhealthy, ["mistral/large"]);
  // It failed again: the next pause is longer.
  await fail(session, 19);
  assertEquals(await pausedUntil(session), 49);
});

rolledBack("a turn that tried and never reported lets another one try", async (session) => {
  for (const second of [0, 1, 2]) await fail(session, second);
  assertEquals((await states(session, 20)).unhealthy, []);
  assertEquals((await states(session, 49)).unhealthy, ["mistral/large"]);
  assertEquals((await states(session, 51)).unhealthy, []);
});

rolledBack("a model behind one that will answer is not given away to try", async (session) => {
  for (const second of [0, 1, 2]) await fail(session, second);
  const models = ["openai/gpt", "mistral/large"];
  assertEquals(await states(session, 20, models), { unhealthy: [], ailing: ["mistral/large"] });
  assertEquals((await states(session, 20)).unhealthy, []);
});

rolledBack("a success forgets the failures", async (session) => {
  for (const second of [0, 1, 2]) await fail(session, second);
  await call(session, "public.report_provider", { provider: "mistral", model: "large", failed: false });
  assertEquals(await states(session, 3), { unhealthy: [], ailing: [] });
});

rolledBack("the skipped models come with the one first that comes back first", async (session) => {
  const models = ["openai/a", "openai/b", "openai/c"];
  await fail(session, 0, { of: ["openai", "a"], retryAfter: 50 });
  await fail(session, 0, { of: ["openai", "b"], retryAfter: 20 });
  await fail(session, 0, { of: ["openai", "c"], retryAfter: 30 });
  assertEquals((await states(session, 1, models)).unhealthy, ["openai/b", "openai/c", "openai/a"]);
});

rolledBack("a bare name is a model of Mistral, and a name may hold more slashes", async (session) => {
  await fail(session, 0, { of: ["openai", "org/model"], retryAfter: 20 });
  await fail(session, 0, { retryAfter: 30 });
  assertEquals((await states(session, 1, ["large", "openai/org/model"])).unhealthy, [
    "openai/org/model",
    "mistral/large",
  ]);
});

rolledBack("a user's own key that fails is skipped for itself alone, and fails alone", async (session) => {
  const key = await makeKey(session);
  await fail(session, 0, { key, retryAfter: 40 });
  assertEquals(await states(session, 1), { unhealthy: [], ailing: [] });
  assertEquals(await states(session, 1, ["mistral/large"], key), {
    unhealthy: ["mistral/large"],
    ailing: ["mistral/large"],
  });
  // The key serves its own provider: another one's model is called with the installation's.
  await fail(session, 0, { of: ["openai", "gpt"], retryAfter: 40 });
  assertEquals((await states(session, 1, ["openai/gpt"], key)).unhealthy, ["openai/gpt"]);
  await session.query("delete from public.provider_keys where id = $1", [key]);
  assertEquals(await session.query("select 1 from public.provider_health where provider = 'mistral'"), []);
});

rolledBack("a failure with a key that was deleted meanwhile is nobody's", async (session) => {
  await fail(session, 0, { key: crypto.randomUUID() });
  assertEquals(await session.query("select 1 from public.provider_health"), []);
});

rolledBack(
  "an admission is told which of its agent's models to skip, and which failed last",
  async (session) => {
    const client = await makeClient(session, {
      agent: { model: "large", fallback_models: ["openai/gpt", "openai/x"] },
    });
    const told = async () => {
      const { unhealthy, ailing } = await admit(session, client);
      return { unhealthy, ailing };
    };
    assertEquals(await told(), { unhealthy: [], ailing: [] });
    await call(session, "public.report_provider", {
      provider: "mistral",
      model: "large",
      failed: true,
      retry_after: 60,
    });
    await call(session, "public.report_provider", { provider: "openai", model: "x", failed: true });
    assertEquals(await told(), { unhealthy: ["mistral/large"], ailing: ["mistral/large", "openai/x"] });
  },
);

rolledBack("failures are forgotten after an hour without another one", async (session) => {
  const forget = async (seconds: number) =>
    (await session.query<{ n: number }>("select private.forget_provider_health($1) as n", [at(seconds)]))[0]!
      .n;
  await fail(session, 0);
  assertEquals([await forget(3599), await forget(3601)], [0, 1]);
  for (const second of [0, 1, 4000]) await fail(session, second);
  const [row] = await session.query<{ failures: number }>("select failures from public.provider_health");
  assertEquals(row!.failures, 1);
});

rolledBack("a report keeps what the error was, and refuses what is none", async (session) => {
  await call(session, "public.report_provider", {
    provider: "mistral",
    model: "large",
    failed: true,
    error: "503",
  });
  const [row] = await session.query<{ last_error: string; failures: number }>(
    "select last_error, failures from public.provider_health",
  );
  assertEquals(row, { last_error: "503", failures: 1 });
  const report = (args: Record<string, unknown>) =>
    refusal(
      call(session, "public.report_provider", { provider: "mistral", model: "large", failed: true, ...args }),
    );
  for (
    const wrong of [
      { provider: "" },
      { model: null },
      { failed: null },
      { retry_after: -1 },
      { error: "x".repeat(201) },
    ]
  ) {
    assertEquals(await report(wrong), "PT422 validation_failed", JSON.stringify(wrong));
  }
});
