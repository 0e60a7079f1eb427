import type { Deps } from "../../../shared/deps.ts";
import { sentencesOf } from "../../../shared/sentences.ts";
import type { Turn } from "../admission.ts";
import { splitAtQuestion } from "../conversation.ts";
import { withoutMarkers } from "../citations/markers.ts";
import { rollSummary } from "./summary.ts";

// What a later conversation is told of this one at most, in tokens.
const CONTEXT_TOKENS = 300;
const MOST_FACTS = 3, LONGEST_FACT = 300;
const NAMING_WORDS = 3;

/**
 * Keeps what a conversation came to with an answered turn, for later conversations of the same visitor; only where the
 * visitor was proven, since nobody else's is ever recalled. Never throws: what is not kept now is with the next turn.
 */
export async function keepContext(
  turn: Pick<Turn, "admission" | "question" | "conversation" | "understood">,
  answer: string,
  deps: Pick<Deps, "rpc" | "embed" | "log">,
): Promise<void> {
  const { admission: { turn_id, agent, visitor_verified }, question, conversation, understood } = turn;
  if (!visitor_verified) return;
  const [past] = splitAtQuestion(conversation);
  const exchange = [
    { role: "user", content: question, standalone: understood.standalone },
    { role: "assistant", content: answer },
  ];
  try {
    const summary = rollSummary(understood.summary, [...past, ...exchange], CONTEXT_TOKENS);
    const embedding = await embedContext(agent.embedding_model, summary, deps);
    await deps.rpc.saveContext({
      turnId: turn_id,
      summary,
      keyFacts: supportedFacts(answer),
      topic: understood.topic?.words.slice(0, NAMING_WORDS).join(" ") ?? null,
      embedding,
      embeddingModel: embedding === null ? null : agent.embedding_model,
    });
  } catch (error) {
    deps.log.error("context_not_kept", error, { turn_id });
  }
}

/** The sentences of an answer that rest on a source. */
function supportedFacts(answer: string): string[] {
  return sentencesOf(answer).filter((sentence) => /\[\d+\]/.test(sentence) && sentence.length <= LONGEST_FACT)
    .slice(0, MOST_FACTS).map(withoutMarkers);
}

/** The vector of a context, or null when its model cannot be asked: then the newest are recalled. */
async function embedContext(
  model: string | null,
  summary: string,
  deps: Pick<Deps, "embed" | "log">,
): Promise<string | null> {
  if (model === null) return null;
  try {
    return (await deps.embed(model, [summary], { purpose: "document" }))[0] ?? null;
  } catch (error) {
    deps.log.error("context_not_embedded", error, { embedding_model: model });
    return null;
  }
}
