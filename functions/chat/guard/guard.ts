import { fold } from "../../../shared/words.ts";
import { visible } from "./guard-characters.ts";
import { decoded, reversed, rotated } from "./guard-encodings.ts";
import { contentsOf, matches, mayMatch, type Work } from "./guard-pattern.ts";
import { guardRules } from "./guard-rules.ts";
import { type Sentence, sentencesIn } from "./guard-sentences.ts";
import { markMeanings } from "./guard-meanings.ts";
import { turnPoints } from "./guard-turns.ts";

/** What an attack on an assistant is after. */
export type GuardKind = "injection" | "role_override" | "disclosure";

/** How grave an incident is. */
export type Severity = "low" | "medium" | "high" | "critical";

/** What the guard found in a message. */
export interface Attack {
  kind: GuardKind;
  severity: Severity;
}

/** What the guard is to look for. */
export interface GuardOptions {
  /** Whether attempts to change the agent's role count; without them only injection and disclosure do. */
  roleLock?: boolean;
}

// So many points make an attack; below, words of attacks are used for something else.
const ATTACK = 3;
// Whoever disguises an attack knows what it is.
const DISGUISE = 2;

/**
 * What a visitor's message tries to make of the assistant, or null when it is an ordinary one. Reads English and
 * French, and the same in other letters, spaced out, misspelt, reversed or encoded. The work grows with the message.
 */
export function inspect(message: string, options: GuardOptions = {}): Attack | null {
  return weigh(message, options).attack;
}

/** What `inspect` says, and how many steps it took. */
export function weigh(
  message: string,
  { roleLock = true }: GuardOptions,
): { attack: Attack | null; steps: number } {
  const work: Work = { steps: 0 };
  let attack: Attack | null = null;
  let most = 0;
  for (const { text, isDisguised } of readings(message)) {
    const points = pointsOf(text, work);
    if (!roleLock) points.role_override = 0;
    const total = points.injection + points.role_override + points.disclosure;
    if (total < ATTACK || total <= most) continue;
    most = total;
    const kind = (Object.keys(points) as GuardKind[]).reduce((a, b) => points[b] > points[a] ? b : a);
    attack = { kind, severity: severityOf(total + (isDisguised ? DISGUISE : 0)) };
  }
  return { attack, steps: work.steps };
}

// A text that makes sense backwards or in rot13 has one of these words of attacks in it.
const TELLING = /ignor|instruct|prompt|syst|oubli|consign|regle|rule|directi|forget|regard|reveal|mode|role/;

interface Reading {
  text: string;
  isDisguised: boolean;
}

function readings(message: string): Reading[] {
  const plain = visible(message);
  const found: Reading[] = [
    { text: plain, isDisguised: false },
    ...[rotated(plain), reversed(plain)].filter((text) => TELLING.test(fold(text)))
      .map((text) => ({ text, isDisguised: true })),
  ];
  const inner = decoded(plain);
  if (inner !== null) {
    found.push({ text: visible(inner), isDisguised: true });
    // Encoded twice; more often is a puzzle that no model solves in passing.
    const innermost = decoded(inner);
    if (innermost !== null) found.push({ text: visible(innermost), isDisguised: true });
  }
  return found;
}

/** Each sign counts once in a text, however often it stands there. */
function pointsOf(text: string, work: Work): Record<GuardKind, number> {
  const points: Record<GuardKind, number> = { injection: turnPoints(text), role_override: 0, disclosure: 0 };
  const sentences: Sentence[] = sentencesIn(text);
  for (const sentence of sentences) markMeanings(sentence, work);
  const contents = sentences.map(contentsOf);
  for (const { kind, points: value, steps, notInQuestions } of guardRules()) {
    const isThere = sentences.some((sentence, n) =>
      !(notInQuestions && sentence.isQuestion) && mayMatch(steps, contents[n]!) &&
      matches(steps, sentence, work)
    );
    if (isThere) points[kind] += value;
  }
  for (const kind of Object.keys(points) as GuardKind[]) points[kind] = Math.max(0, points[kind]);
  return points;
}

function severityOf(points: number): Severity {
  if (points >= 11) return "critical";
  if (points >= 8) return "high";
  return points >= 5 ? "medium" : "low";
}
