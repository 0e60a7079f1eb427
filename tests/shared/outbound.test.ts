import { assert, assertEquals, assertRejects } from "@std/assert";
import { createGuardedFetch, faultOfUrl, RefusedAddress, resolveName } from "../../shared/outbound.ts";

const refusedUrls: Record<string, string> = {
  "http://models.example/v1": "must begin with https://",
  "ftp://models.example/v1": "must begin with https://",
  "file:///etc/passwd": "must begin with https://",
  "data:text/plain,x": "must begin with https://",
  "https://user@models.example/v1": "must not hold a name or password",
  "https://user:word@models.example/v1": "must not hold a name or password",
  "https://:word@models.example/v1": "must not hold a name or password",
};
const privateHosts = [
  "127.0.0.1",
  "127.1",
  "2130706433",
  "0x7f000001",
  "0x7f.1",
  "0177.0.0.1",
  "017700000001",
  "127.0.0.1.",
  "１２７.0.0.1",
  "①②⑦.0.0.1",
  "0",
  "0.0.0.0",
  "10.1.2.3",
  "172.16.0.1",
  "192.168.1.1",
  "0xc0a80101",
  "100.64.0.1",
  "169.254.169.254",
  "2852039166",
  "0xa9.254.0251.0376",
  "224.0.0.1",
  "255.255.255.255",
  "[::]",
  "[::1]",
  "[0:0:0:0:0:0:0:1]",
  "[::127.0.0.1]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "[::ffff:169.254.169.254]",
  "[64:ff9b::7f00:1]",
  "[2002:7f00:1::]",
  "[fe80::1]",
  "[fd00:ec2::254]",
  "[ff02::1]",
  "localhost",
  "LOCALHOST",
  "localhost.",
  "localhost..",
  "ｌocalhost",
  "shop.localhost",
  "shop.localhost.",
  "printer.local",
  "metadata.google.internal",
  "nas.home.arpa",
  "intranet",
  "kubernetes",
];
for (const host of privateHosts) refusedUrls[`https://${host}/v1`] = "must be a public address";

for (const [url, fault] of Object.entries(refusedUrls)) {
  Deno.test(`${url} is refused: it ${fault}`, async () => {
    assertEquals(faultOfUrl(new URL(url)), fault);
    const guarded = createGuardedFetch({ resolve: never, connect: never });
    const { message } = await assertRejects(() => guarded(url), RefusedAddress);
    assert(message.endsWith(fault), message);
  });
}

for (const url of ["https://models.example/v1", "https://8.8.8.8/v1", "https://[2606:4700::1111]:8443/v1"]) {
  Deno.test(`${url} may be called`, () => assertEquals(faultOfUrl(new URL(url)), null));
}

const answers: [addresses: string[], isAllowed: boolean][] = [
  [["93.184.215.14"], true],
  [["93.184.215.14", "2606:2800:21f:cb07::1"], true],
  [["127.0.0.1"], false],
  [["::1"], false],
  [["::ffff:10.0.0.1"], false],
  [["169.254.169.254"], false],
  [["93.184.215.14", "10.0.0.1"], false],
  [["2606:2800:21f:cb07::1", "fd00::1"], false],
  [[], false],
];
for (const [addresses, isAllowed] of answers) {
  Deno.test(`a name with the addresses ${addresses.join(", ") || "of none"} is ${isAllowed ? "called" : "refused"}`, async () => {
    const asked: string[] = [];
    const called: string[] = [];
    const guarded = createGuardedFetch({
      resolve: (name) => Promise.resolve((asked.push(name), addresses)),
      connect: (url) => Promise.resolve((called.push(String(url)), new Response("fine"))),
    });
    const call = guarded("https://Models.Example./v1?a=b");
    if (isAllowed) assertEquals(await (await call).text(), "fine");
    else await assertRejects(() => call, RefusedAddress, "models.example");
    assertEquals([asked, called], [["models.example"], isAllowed ? ["https://models.example./v1?a=b"] : []]);
  });
}

Deno.test("a failed look-up calls nothing", async () => {
  const guarded = createGuardedFetch({
    resolve: () => Promise.reject(new Error("no answer")),
    connect: never,
  });
  await assertRejects(() => guarded("https://models.example"), Error, "no answer");
});

Deno.test("a name is looked up in DNS alone, for both families; a runtime that cannot do that calls nothing", async () => {
  const asked: string[] = [];
  const resolveDns = ((name: string, type: string) => {
    asked.push(`${type} ${name}`);
    if (type === "A") return Promise.resolve(["93.184.215.14"]);
    return Promise.reject(new Deno.errors.NotFound("no records found"));
  }) as typeof Deno.resolveDns;
  assertEquals(await resolveName("models.example", undefined, { resolveDns }), ["93.184.215.14"]);
  assertEquals(asked, ["A models.example.", "AAAA models.example."]);
  const broken = (() => Promise.reject(new Error("SERVFAIL"))) as typeof Deno.resolveDns;
  await assertRejects(
    () => resolveName("models.example", undefined, { resolveDns: broken }),
    Error,
    "SERVFAIL",
  );
  await assertRejects(
    () => resolveName("models.example", undefined, {}),
    RefusedAddress,
    "cannot look names up",
  );
});

/** Servers on loopback behind names: `a`, `b` and `c.example` are public ones, `inner.example` a private one. */
function startServers() {
  const received: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const host = request.headers.get("x-test-host");
    const body = await request.text();
    const secrets = ["authorization", "x-api-key", "cookie"].filter((name) => request.headers.has(name));
    received.push([request.method, `${host}${pathname}`, body, ...secrets].filter((part) => part).join(" "));
    const to = searchParams.get("to");
    const status = Number(pathname.slice(1));
    return to === null
      ? new Response(`hello from ${host}`)
      : new Response(null, { status, headers: { location: to } });
  });
  const connect: typeof fetch = (input, init) => {
    const { host, pathname, search } = new URL(String(input));
    const headers = new Headers(init?.headers);
    headers.set("x-test-host", host);
    return fetch(`http://127.0.0.1:${server.addr.port}${pathname}${search}`, { ...init, headers });
  };
  const resolve = (name: string) =>
    Promise.resolve([name.startsWith("inner") ? "10.0.0.7" : "93.184.215.14"]);
  return {
    received,
    call: createGuardedFetch({ connect, resolve }),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const post = {
  method: "POST",
  body: "question",
  headers: { authorization: "Bearer k", "x-api-key": "k", cookie: "k", "content-type": "text/plain" },
};
const to = (status: number, location: string) =>
  `https://a.example/${status}?to=${encodeURIComponent(location)}`;

Deno.test("a redirect is followed on the same server with body and credentials", async () => {
  await using servers = startServers();
  const response = await servers.call(to(307, "/end"), post);
  assertEquals(await response.text(), "hello from a.example");
  assertEquals(servers.received, [
    "POST a.example/307 question authorization x-api-key cookie",
    "POST a.example/end question authorization x-api-key cookie",
  ]);
});

Deno.test("a redirect to another server loses every credential", async () => {
  await using servers = startServers();
  for (const other of ["https://b.example/end", "https://a.example:444/end"]) {
    servers.received.length = 0;
    await (await servers.call(to(308, other), post)).text();
    assertEquals(servers.received[1], `POST ${other.slice("https://".length)} question`);
  }
});

Deno.test("a redirect becomes a GET where browsers make it one", async () => {
  await using servers = startServers();
  for (const status of [301, 302, 303]) await (await servers.call(to(status, "/end"), post)).text();
  assertEquals(servers.received.filter((line) => line.includes("/end")), [
    "GET a.example/end authorization x-api-key cookie",
    "GET a.example/end authorization x-api-key cookie",
    "GET a.example/end authorization x-api-key cookie",
  ]);
});

const privateTargets = [
  "https://inner.example/secret",
  "//inner.example/secret",
  "https://127.0.0.1/secret",
  "https://0x7f.1/secret",
  "https://[::ffff:127.0.0.1]/secret",
  "https://localhost./secret",
  "https://user:word@b.example/secret",
  "http://b.example/secret",
  "file:///etc/passwd",
  "https://",
];
for (const target of privateTargets) {
  Deno.test(`a redirect to ${target} is not followed, nor one that leads to one`, async () => {
    await using servers = startServers();
    for (const start of [to(302, target), to(307, target), to(307, to(307, target))]) {
      await assertRejects(() => servers.call(start, post), RefusedAddress);
    }
    assertEquals(servers.received.filter((line) => line.includes("secret")), []);
    assertEquals(servers.received.length, 4);
  });
}

Deno.test("redirects without end are given up", async () => {
  await using servers = startServers();
  let url = "/end";
  for (let hops = 0; hops < 4; hops++) url = to(307, url);
  await assertRejects(() => servers.call(url), RefusedAddress);
  assertEquals(servers.received.length, 4);
  assertEquals(
    await (await servers.call(new URL(url).searchParams.get("to")!)).text(),
    "hello from a.example",
  );
});

Deno.test("a body that is spent is not sent on", async () => {
  await using servers = startServers();
  const body = new Blob(["question"]).stream();
  await assertRejects(
    () => servers.call(to(307, "/end"), { method: "POST", body }),
    RefusedAddress,
    "was a stream",
  );
});

Deno.test("an answer that only looks like a redirect is the caller's to read", async () => {
  await using servers = startServers();
  for (const [url, status] of [[to(304, "/end"), 304], ["https://a.example/302", 200]] as const) {
    const response = await servers.call(url);
    await response.body?.cancel();
    assertEquals(response.status, status);
  }
});

Deno.test("a caller who leaves ends the look-up and the call", async () => {
  const leaving = new AbortController();
  const signals: (AbortSignal | null | undefined)[] = [];
  const guarded = createGuardedFetch({
    resolve: (_, signal) => Promise.resolve((signals.push(signal), ["93.184.215.14"])),
    connect: (_, init) => Promise.resolve((signals.push(init?.signal), new Response())),
  });
  await guarded("https://a.example", { signal: leaving.signal });
  assertEquals(signals, [leaving.signal, leaving.signal]);
  await assertRejects(() => guarded(new Request("https://a.example")), TypeError);
});

function never(): Promise<never> {
  throw new Error("nothing may be asked or called");
}
