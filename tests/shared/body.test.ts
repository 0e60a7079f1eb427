import { assertEquals, assertRejects } from "@std/assert";
import { z } from "zod";
import { readBody, readJson } from "../../shared/body.ts";
import { Problem } from "../../shared/errors.ts";

const Thing = z.object({ name: z.string(), size: z.number().optional() });
const post = (body: BodyInit | null, type: string | null = "application/json") =>
  new Request("http://x/", { method: "POST", body, headers: type === null ? {} : { "content-type": type } });

async function refusal(work: Promise<unknown>): Promise<Problem> {
  return await assertRejects(() => work, Problem);
}

function endless(): { stream: ReadableStream<Uint8Array>; pulled: () => number } {
  let pulled = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulled += 1000;
      controller.enqueue(new Uint8Array(1000));
    },
  }, { highWaterMark: 0 });
  return { stream, pulled: () => pulled };
}

Deno.test("a body is bounded by the bytes that arrive, and reading stops there", async () => {
  const { stream, pulled } = endless();
  const { code, status } = await refusal(readBody(post(stream), 10_000));
  assertEquals([code, status], ["body_too_large", 413]);
  assertEquals(pulled(), 11_000);
});

Deno.test("a declared length is believed when it is too large, not when it is small", async () => {
  const large = new Request("http://x/", {
    method: "POST",
    body: "x",
    headers: { "content-length": "99999" },
  });
  assertEquals((await refusal(readBody(large, 100))).code, "body_too_large");
  const lying = new Request("http://x/", {
    method: "POST",
    body: new Uint8Array(200),
    headers: { "content-length": "5" },
  });
  assertEquals((await refusal(readBody(lying, 100))).code, "body_too_large");
});

Deno.test("a body at the limit is read whole", async () => {
  const bytes = crypto.getRandomValues(new Uint8Array(1000));
  assertEquals(await readBody(post(bytes), 1000), bytes);
  assertEquals((await readBody(new Request("http://x/"), 10)).byteLength, 0);
});

Deno.test("a JSON body is parsed and validated", async () => {
  assertEquals(await readJson(post('{"name":"a","other":1}'), Thing), { name: "a" });
  assertEquals(await readJson(post('{"name":"a"}', "Application/JSON; charset=utf-8"), Thing), { name: "a" });
});

Deno.test("another content type, or none, is 415", async () => {
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"]) {
    assertEquals((await refusal(readJson(post("{}", type), Thing))).status, 415);
  }
  const untyped = new Request("http://x/", { method: "POST", body: new Uint8Array([123, 125]) });
  assertEquals((await refusal(readJson(untyped, Thing))).code, "unsupported_media_type");
});

Deno.test("what is not JSON in UTF-8 is malformed_json", async () => {
  for (const body of ["", "{", "{'a':1}", '{"a":1}x', new Uint8Array([34, 0xff, 34])]) {
    assertEquals((await refusal(readJson(post(body), Thing))).code, "malformed_json");
  }
});

Deno.test("a wrong body is 422 and names each path", async () => {
  const problem = await refusal(readJson(post('{"size":"big"}'), Thing));
  assertEquals(problem.status, 422);
  const errors = problem.members.errors as { path: string }[];
  assertEquals(errors.map(({ path }) => path), ["name", "size"]);
});

Deno.test("an optional body may be missing, with or without a type", async () => {
  const Optional = z.object({ name: z.string().optional() });
  for (const request of [new Request("http://x/", { method: "POST" }), post("", "text/plain"), post("")]) {
    assertEquals(await readJson(request, Optional, { optional: true }), {});
  }
  assertEquals(
    (await refusal(readJson(post("name=a", "text/plain"), Optional, { optional: true }))).status,
    415,
  );
});

Deno.test("deeply nested JSON is refused or read, never a crash", async () => {
  const deep = "[".repeat(30_000) + "]".repeat(30_000);
  assertEquals((await refusal(readJson(post(deep), Thing))).code, "validation_failed");
});
