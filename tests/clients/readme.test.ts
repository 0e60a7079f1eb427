import { assert, assertEquals } from "@std/assert";
import { startChat } from "../functions/chat/fixture.ts";
import { projectUrl } from "../gates/files.ts";

const chat = await startChat();
Deno.test.afterAll(() => chat.close());

Deno.test("the program in README.md prints an answer", async () => {
  const readme = await Deno.readTextFile(projectUrl("README.md"));
  const program = /```js\n(import OpenAI[\s\S]*?)```/.exec(readme)?.[1] ?? "";
  assert(program !== "");
  const agent = await chat.agent({ steps: ["Thirty ", "days."] });
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--config", "deno.json", "--ext", "js", "-"],
    cwd: projectUrl(""),
    env: { SUPABASE_URL: chat.stack.url, AGENT_API_KEY: agent.key },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const { stdout, stderr, success } = await child.output();
  assert(success, new TextDecoder().decode(stderr));
  assertEquals(new TextDecoder().decode(stdout), "Thirty days.");
});
