import { assert, assertEquals } from "@std/assert";
import { Tiktoken } from "js-tiktoken/lite";
import cl100k from "js-tiktoken/ranks/cl100k_base";
import type { Step } from "../support/model-server.ts";
import { type ChatAgent, eventually, startChat } from "../functions/chat/fixture.ts";

// The vendor counts with OpenAI's own tokenizer; roles and separators cost it four tokens a message.
const tokenizer = new Tiktoken(cl100k);
const promptTokens = (messages: { content: string }[]) =>
  messages.reduce((sum, { content }) => sum + tokenizer.encode(content).length + 4, 0);
const words = [" one", " two", " three", " four", " five"];

const turns = 200;
const atOnce = 16;

/** An answer that is sent word by word, each one token, at 5 ms a token. */
const paced: Step[] = Array.from({ length: 40 }, (_, n) => [words[n % words.length]!, { wait: 5 }]).flat();

/** Asks, and leaves after so many bytes of the stream; reads to the end without. */
async function ask(agent: ChatAgent, question: string, bytes = Infinity): Promise<void> {
  const reader = (await agent.ask({ message: question, stream: true })).body!.getReader();
  for (let read = 0; read < bytes;) {
    const { done, value } = await reader.read();
    if (done) return;
    read += value.length;
  }
  await reader.cancel();
}

interface Billed {
  question: string;
  status: string;
  input: number;
  output: number;
}

Deno.test("the ledger is the vendor's own bill after 200 turns, a third of them cut at random bytes", async () => {
  const chat = await startChat();
  try {
    const agent = await chat.agent({ steps: paced, promptTokens });
    await chat.rows("update public.app_config set value = '0' where key = 'addressRequestsPerMinute'");
    const questions = Array.from({ length: turns }, (_, n) => `Question number ${n}?`);
    const waiting = questions.entries();
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (const [n, question] of waiting) {
        // A whole stream has some 2,500 bytes.
        await ask(agent, question, n % 3 === 0 ? Math.ceil(Math.random() * 2200) : undefined);
      }
    }));
    const open = () => chat.rows("select id from public.turns where settled_at is null");
    await eventually(async () => (await open()).length === 0);

    const ledger = await chat.rows<Billed>(
      `select m.content as question, u.status, u.input_tokens::int as input, u.output_tokens::int as output
       from public.usage_logs u join public.turns t on t.id = u.turn_id join public.messages m on m.id = t.user_message_id`,
    );
    // None missing, none twice.
    assertEquals(ledger.map(({ question }) => question).sort(), [...questions].sort());
    const ahead: number[] = [];
    for (const { question, status, input, output } of ledger) {
      const calls = agent.calls().filter(({ body }) => body.messages.at(-1).content === question);
      assertEquals(calls.length, 1, question);
      const { prompt_tokens, completion_tokens } = calls[0]!.bill;
      if (status === "completed") {
        assertEquals([input, output], [prompt_tokens, completion_tokens], question);
        continue;
      }
      assertEquals(status, "aborted", question);
      assert(input <= prompt_tokens && output <= completion_tokens, question);
      ahead.push(completion_tokens - output);
      console.log(
        `${question} cut: ledger ${input} + ${output}, vendor ${prompt_tokens} + ${completion_tokens}, in flight ${
          completion_tokens - output
        }`,
      );
    }
    assert(ahead.length >= turns * 0.3, `${ahead.length} were cut`);
    const [totals] = await chat.rows<{ tokens: number; sum: number }>(
      `select (select sum(input_tokens + output_tokens)::int from public.usage_logs) as sum, tokens::int
       from public.usage_counters where scope = 'owner'`,
    );
    assertEquals(totals!.tokens, totals!.sum);
    console.log(
      `${ahead.length} of ${turns} turns cut, the vendor ahead by ${Math.max(...ahead)} tokens at most`,
    );
  } finally {
    await chat.close();
  }
});
