import type { GuardKind } from "./guard.ts";

const en: Record<GuardKind, string> = {
  injection: "I cannot do that: I keep to what I am here for. What would you like to know?",
  role_override: "I stay the assistant that I am here, and I gladly answer your questions.",
  disclosure: "I cannot share how I was set up. I gladly help you with anything else.",
};

const fr: Record<GuardKind, string> = {
  injection:
    "Je ne peux pas faire cela : je m'en tiens à ce pour quoi je suis là. Que souhaitez-vous savoir ?",
  role_override: "Je reste l'assistant que je suis ici et je réponds volontiers à vos questions.",
  disclosure:
    "Je ne peux pas partager la façon dont j'ai été configuré. Je vous aide volontiers pour toute autre question.",
};

/** What is answered instead, in the first of these languages that the product speaks, else in French. */
export function refusal(kind: GuardKind, ...languages: (string | null)[]): string {
  const known: Record<string, Record<GuardKind, string>> = { en, fr };
  const spoken = languages.find((language) => language !== null && Object.hasOwn(known, language));
  return known[spoken ?? "fr"]![kind];
}
