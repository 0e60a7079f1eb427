import { sentencesOf } from "../../../shared/sentences.ts";
import { countTokens } from "../../../shared/tokens.ts";
import { withoutMarkers } from "../citations/markers.ts";

/** A message to be summarized. */
export interface Utterable {
  role: string;
  content: string;
  /** A visitor's message as it was rewritten in its turn. */
  standalone?: string | null;
}

/** How long the summary of a conversation may be, in tokens. */
export const SUMMARY_TOKENS = 400;

const LONGEST_QUESTION = 160, LONGEST_ANSWER = 200;
const ARROW = " → ";

/**
 * A summary with these messages, oldest first, added: one line for each exchange, the question and the first sentence of the
 * answer that rests on a source. When that is more than `tokens`, the oldest lines lose their answers first, and then go.
 */
export function rollSummary(
  previous: string | null,
  messages: readonly Utterable[],
  tokens = SUMMARY_TOKENS,
): string {
  const lines = previous === null || previous === "" ? [] : previous.split("\n");
  let question = "";
  for (const message of messages) {
    if (message.role === "user") {
      if (question !== "") lines.push(question);
      question = shorten(message.standalone ?? message.content, LONGEST_QUESTION);
    } else if (message.role === "assistant") {
      lines.push(question + ARROW + shorten(supportedSentence(message.content), LONGEST_ANSWER));
      question = "";
    }
  }
  if (question !== "") lines.push(question);
  return fit(lines, tokens);
}

/** The first sentence of an answer that cites a source, else its first one, without markers. */
export function supportedSentence(answer: string): string {
  const sentences = sentencesOf(answer.slice(0, 4000));
  const supported = sentences.find((sentence) => /\[\d+\]/.test(sentence)) ?? sentences[0] ?? "";
  return withoutMarkers(supported);
}

function fit(lines: string[], tokens: number): string {
  const costs = lines.map((line) => countTokens(line) + 1);
  let total = costs.reduce((sum, cost) => sum + cost, 0);
  for (let at = 0; at < lines.length - 1 && total > tokens; at++) {
    lines[at] = lines[at]!.split(ARROW)[0]!;
    const cost = countTokens(lines[at]!) + 1;
    total += cost - costs[at]!;
    costs[at] = cost;
  }
  let first = 0;
  while (total > tokens && first < lines.length - 1) total -= costs[first++]!;
  return lines.slice(first).join("\n");
}

/** A text on one line, cut at a word. */
function shorten(text: string, longest: number): string {
  const plain = text.slice(0, 4000).toWellFormed().replaceAll(ARROW, " ").replace(/\s+/g, " ").trim();
  if (plain.length <= longest) return plain;
  return `${plain.slice(0, longest).replace(/\s+\S*$/u, "").toWellFormed()}…`;
}
