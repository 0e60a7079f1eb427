import { findEmails, findPhones } from "./entities-contact.ts";
import { findComplaints, findSentiment } from "./entities-feelings.ts";
import { findIntents } from "./entities-intents.ts";
import { findNames } from "./entities-names.ts";
import { findPreferences } from "./entities-wishes.ts";
import { readUtterance, type Utterance } from "./utterance.ts";

/** What is remembered of a visitor. */
export const entityTypes = [
  "name",
  "email",
  "phone",
  "preference",
  "intent",
  "complaint",
  "sentiment",
] as const;

/** A kind of {@link Entity}. */
export type EntityType = (typeof entityTypes)[number];

/** How something is meant. */
export type Sentiment = "positive" | "neutral" | "negative";

/** Something that a visitor said about themselves. */
export interface Entity {
  type: EntityType;
  /** In its usual spelling: `Marie Dupont`, `+33612345678`, `cancellation`; at most 200 characters, one line. */
  value: string;
  sentiment: Sentiment;
  /** From 0 to 1: how likely it is meant, and the visitor's own. */
  confidence: number;
}

/** What a search for one kind found; without a sentiment it is neutral. */
export type Found = Omit<Entity, "sentiment"> & { sentiment?: Sentiment };

const finders: ((utterance: Utterance) => Found[])[] = [
  findNames,
  findEmails,
  findPhones,
  findPreferences,
  findIntents,
  findComplaints,
  findSentiment,
];

// Of one message; what says more than this about its writer is a list.
const MOST_OF_A_TYPE = 4;

/**
 * What a visitor's message says about them, in French or English, by patterns alone: the same for the same message, without
 * a model, in bounded time. Never to be given an answer or a document: those speak of others.
 */
export function extractEntities(message: string): Entity[] {
  const utterance = readUtterance(message);
  return finders.flatMap((find) => best(find(utterance)).slice(0, MOST_OF_A_TYPE));
}

/** Each value once, with the confidence of its surest mention, in order of first mention. */
function best(found: Found[]): Entity[] {
  const entities = new Map<string, Entity>();
  for (const { type, value, confidence, sentiment = "neutral" } of found) {
    const known = entities.get(value);
    if (known === undefined || known.confidence < confidence) {
      entities.set(value, { type, value, sentiment, confidence: Math.round(confidence * 100) / 100 });
    }
  }
  return [...entities.values()];
}
