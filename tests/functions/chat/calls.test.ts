import { assert, assertEquals } from "@std/assert";
import { Attempts } from "../../../functions/chat/model/attempts.ts";
import { callModels, type Finding } from "../../../functions/chat/model/calls.ts";
import type { Candidate } from "../../../functions/chat/model/candidates.ts";
import type { ModelEnd, Reading } from "../../../functions/chat/model/model-stream.ts";
import { turnSettings } from "../../../functions/chat/settings.ts";
import { problem } from "../../../shared/errors.ts";
import { ProviderError } from "../../../shared/provider-error.ts";

const unread: Reading = {
  opened: false,
  begun: false,
  firstTokenMs: null,
  responseModel: null,
  responseId: null,
  url: null,
};
const usage = { input: 7, output: 2 };
const answered: ModelEnd = {
  ...unread,
  opened: true,
  begun: true,
  firstTokenMs: 3,
  kind: "finished",
  finishReason: "stop",
  usage,
};
const silent: ModelEnd = { ...unread, kind: "finished", opened: true, finishReason: "stop", usage };
const left: ModelEnd = { ...unread, kind: "aborted" };
const timeout: ModelEnd = { ...unread, kind: "failed", code: "provider_timeout", cause: new Error("silent") };
const fails = (cause: unknown, more: Partial<Reading> = {}): ModelEnd => ({
  ...unread,
  ...more,
  kind: "failed",
  code: "provider_failed",
  cause,
});
const answers = (statusCode: number, headers: Record<string, string> = {}) =>
  fails(new ProviderError(`The provider answered ${statusCode}`, { statusCode, responseHeaders: headers }));
const broken = fails(new ProviderError("The provider cannot be reached"));

/** A model that cannot be called when its script is a string: the code why not. */
type Script = Record<string, ModelEnd[] | "provider_not_configured">;

interface Setting {
  config?: Record<string, unknown>;
  ailing?: string[];
  /** Milliseconds that each call takes. */
  callMs?: number;
  random?: () => number;
  /** The client leaves in this sleep, counted from 0. */
  leaveInSleep?: number;
}

/** Calls scripted models on a clock of its own. */
async function run(
  script: Script,
  { config = {}, ailing = [], callMs = 10, random, leaveInSleep }: Setting = {},
) {
  let clock = 1000;
  const slept: number[] = [];
  const asked: { model: string; firstTokenMs: number }[] = [];
  const findings: Finding[] = [];
  const candidates = Object.entries(script).map(([name, ends]): Candidate => {
    const [provider = "", modelId = ""] = name.split("/");
    const model = { provider, modelId, providerKeyId: null, model: {} as never };
    return {
      provider,
      modelId,
      name,
      isAiling: ailing.includes(name),
      ready: () =>
        typeof ends === "string" ? Promise.reject(problem(ends, "no key")) : Promise.resolve(model),
    };
  });
  const attempts = new Attempts(candidates[0]!);
  const end = await callModels(candidates, ({ provider, modelId }, { firstTokenMs }) => {
    const name = `${provider}/${modelId}`;
    asked.push({ model: name, firstTokenMs });
    clock += callMs;
    const ends = script[name] as ModelEnd[];
    return Promise.resolve(ends.length > 1 ? ends.shift()! : ends[0]!);
  }, {
    settings: turnSettings(config),
    attempts,
    signal: new AbortController().signal,
    deadline: 1000 + 120_000,
    onFinding: (finding) => findings.push(finding),
    now: () => clock,
    random: random ?? (() => 0.5),
    sleep: (ms) => {
      if (slept.length === leaveInSleep) return Promise.reject(new Error("left"));
      slept.push(ms);
      clock += ms;
      return Promise.resolve();
    },
  });
  return {
    end,
    slept,
    asked: asked.map(({ model }) => model),
    firstTokenMs: asked.map(({ firstTokenMs }) => firstTokenMs),
    attempts: attempts.all,
    used: attempts.used,
    findings: findings.map(({ candidate, fault }) => [candidate.name, fault?.name ?? null]),
  };
}

const kindOf = ({ end }: Awaited<ReturnType<typeof run>>) =>
  end.kind === "failed" ? [end.kind, end.problem.code] : [end.kind];

Deno.test("the first model that answers is the only one called", async () => {
  const ran = await run({ "a/1": [answered], "b/2": [answered] });
  assertEquals([kindOf(ran), ran.asked, ran.findings], [["finished"], ["a/1"], []]);
  assertEquals(ran.attempts, [{
    provider: "a",
    model: "1",
    outcome: "completed",
    status: null,
    error_code: null,
    retry: 0,
    first_token_ms: 3,
    duration_ms: 10,
    input_tokens: 7,
    output_tokens: 2,
  }]);
});

for (
  const [what, fault, name] of [
    ["answers 429", answers(429), "429"],
    ["answers 500", answers(500), "500"],
    ["answers 529", answers(529), "529"],
    ["answers 408", answers(408), "408"],
    ["cannot be reached", broken, "connection"],
    ["reports an error", fails(new ProviderError("", { code: "overloaded_error" })), "overloaded_error"],
    ["sends an error that is no error", fails({ type: "overloaded_error" }), "connection"],
  ] as const
) {
  Deno.test(`a model that ${what} is called again twice, then the next one`, async () => {
    const ran = await run({ "a/1": [fault], "b/2": [answered] });
    assertEquals([kindOf(ran), ran.asked], [["finished"], ["a/1", "a/1", "a/1", "b/2"]]);
    assertEquals(ran.slept, [250, 500]);
    assertEquals(ran.attempts.map(({ outcome, retry }) => [outcome, retry]), [
      ["failed", 0],
      ["failed", 1],
      ["failed", 2],
      ["completed", 0],
    ]);
    // One failure a turn, however often it was called.
    assertEquals(ran.findings, [["a/1", name]]);
  });
}

for (const status of [400, 401, 403, 404, 413, 422]) {
  Deno.test(`a model that answers ${status} is not called again: the next one is, at once`, async () => {
    const ran = await run({ "a/1": [answers(status)], "b/2": [answered] });
    assertEquals([kindOf(ran), ran.asked, ran.slept], [["finished"], ["a/1", "b/2"], []]);
    assertEquals([ran.attempts[0]!.status, ran.attempts[0]!.error_code], [status, "provider_failed"]);
    assertEquals(ran.findings, []);
  });
}

Deno.test("a fault of this side, an address that is refused and a finish without a word go to the next model", async () => {
  const refused = Object.assign(new Error("private"), { name: "RefusedAddress" });
  for (const end of [fails(new TypeError("no file")), fails(refused), silent]) {
    const ran = await run({ "a/1": [end], "b/2": [answered] });
    assertEquals([ran.asked, ran.slept, ran.findings], [["a/1", "b/2"], [], []]);
  }
});

Deno.test("a model that answers the second time is not left", async () => {
  const ran = await run({ "a/1": [answers(503), answered], "b/2": [answered] });
  assertEquals([kindOf(ran), ran.asked, ran.findings], [["finished"], ["a/1", "a/1"], []]);
});

Deno.test("silence before the first token is tried once more, not oftener", async () => {
  const ran = await run({ "a/1": [timeout], "b/2": [answered] });
  assertEquals([ran.asked, ran.findings], [["a/1", "a/1", "b/2"], [["a/1", "timeout"]]]);
});

Deno.test("the wait that a provider asks for is kept, and a longer one is left for the next model", async () => {
  const ran = await run({ "a/1": [answers(429, { "retry-after": "4" }), answered], "b/2": [answered] });
  assertEquals([ran.asked, ran.slept], [["a/1", "a/1"], [4000]]);
  const long = await run({ "a/1": [answers(429, { "retry-after": "11" })], "b/2": [answered] });
  assertEquals([long.asked, long.slept, long.findings], [["a/1", "b/2"], [], [["a/1", "429"]]]);
});

Deno.test("the waits are any time up to their bounds", async () => {
  const draws = [0, 1, 0.1, 0.9];
  const ran = await run({ "a/1": [answers(500)] }, {
    config: { max_retries: 4, retry_delay_ms: 1000 },
    random: () => draws.shift()!,
  });
  assertEquals(ran.slept, [0, 2000, 400, 7200]);
});

Deno.test("a wait that the turn has no time for is not begun", async () => {
  const ran = await run({ "a/1": [answers(503, { "retry-after": "8" })], "b/2": [answered] }, {
    callMs: 113_000,
  });
  assertEquals([ran.asked, ran.slept], [["a/1", "b/2"], []]);
  assertEquals(ran.firstTokenMs, [30_000, 7000]);
});

Deno.test("when the turn's time is up nobody is called any more", async () => {
  const ran = await run({ "a/1": [answers(503)], "b/2": [answered] }, { callMs: 120_000 });
  assertEquals([kindOf(ran), ran.asked], [["failed", "provider_failed"], ["a/1"]]);
});

Deno.test("after something was passed on there is no other try, and the failure is told", async () => {
  const end = fails(new ProviderError("The provider's connection broke"), { opened: true, begun: true });
  const ran = await run({ "a/1": [end], "b/2": [answered] });
  assertEquals([kindOf(ran), ran.asked], [["failed", "provider_failed"], ["a/1"]]);
  assertEquals(ran.findings, [["a/1", "connection"]]);
});

Deno.test("a model without a key is a failed attempt, and the next one is called", async () => {
  const ran = await run({ "a/1": "provider_not_configured", "b/2": [answered] });
  assertEquals([kindOf(ran), ran.asked, ran.findings], [["finished"], ["b/2"], []]);
  assertEquals(ran.attempts.map(({ model, outcome, error_code }) => [model, outcome, error_code]), [
    ["1", "failed", "provider_not_configured"],
    ["2", "completed", null],
  ]);
});

Deno.test("of several failures the last call's is told, with the wait that would help", async () => {
  const ran = await run({ "a/1": "provider_not_configured", "b/2": [answers(429, { "retry-after": "30" })] });
  assertEquals(kindOf(ran), ["failed", "provider_failed"]);
  assert(ran.end.kind === "failed");
  assertEquals(ran.end.problem.members, { retry_after: 30 });
  assertEquals(kindOf(await run({ "a/1": [timeout], "b/2": "provider_not_configured" })), [
    "failed",
    "provider_timeout",
  ]);
});

Deno.test("a client that leaves while a model is called or waited for ends it all", async () => {
  assertEquals(kindOf(await run({ "a/1": [left], "b/2": [answered] })), ["aborted"]);
  const ran = await run({ "a/1": [answers(500)], "b/2": [answered] }, { leaveInSleep: 1 });
  assertEquals([kindOf(ran), ran.asked], [["aborted"], ["a/1", "a/1"]]);
});

Deno.test("the success of a model that failed last is told", async () => {
  const ran = await run({ "a/1": [answered] }, { ailing: ["a/1"] });
  assertEquals(ran.findings, [["a/1", null]]);
});

Deno.test("what all calls used is added up, and who was called last is named", async () => {
  const ran = await run({ "a/1": [silent], "b/2": [answered] });
  assertEquals(ran.used, { provider: "b", model: "2", inputTokens: 14, outputTokens: 4 });
});
