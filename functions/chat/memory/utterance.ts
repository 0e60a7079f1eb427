/** A part of a sentence of what a visitor wrote. */
export interface Clause {
  text: string;
  /** Whether it asks rather than states. */
  isQuestion: boolean;
  /** Whether it stands under an "if": what it says need not be so. */
  isCondition: boolean;
}

/** What a visitor wrote, as it is searched for what they say about themselves. */
export interface Utterance {
  text: string;
  /** The same, of the same length, with everything that quotes somebody else blanked. */
  own: string;
  /** The clauses of their own words. */
  clauses: Clause[];
}

// People speak of themselves at the beginning and at the end of a long message; the middle is pasted.
const BEGINNING = 4000, END = 2000;

const quotes = [
  // What an answered e-mail carries along, up to its end.
  /^(?:-{2,} ?(?:original message|message d['’]origine).*|(?:on|le) .{4,120} (?:wrote|a écrit) ?:)$[^]*/gim,
  /^ *>.*$/gmu,
  /«[^»]{0,600}»|“[^”]{0,600}”|"[^"\n]{0,600}"/gu,
];

/** Bounds a message and takes it apart. */
export function readUtterance(message: string): Utterance {
  const text = message.length <= BEGINNING + END
    ? message
    : `${message.slice(0, BEGINNING)}\n${message.slice(-END)}`.toWellFormed();
  let own = text;
  for (const quote of quotes) own = own.replace(quote, (found) => " ".repeat(found.length));
  return { text, own, clauses: clausesOf(own) };
}

const ASKS =
  /^(?:who|what|whats|which|when|where|how|is|are|was|were|do|does|did|can|could|may|will|would|should|has|have|had|qui|que|qu|quoi|quel|quelle|quels|quelles|quand|où|comment|combien|est|y a|peut|puis|faut|avez|êtes|vend|livr)(?![a-zà-ÿœ])|[a-zà-ÿœ]-(?:t-)?(?:ils?|elles?|on|vous|je|tu|nous|ce)(?![a-zà-ÿœ])|^(?:en )?cas /i;
const SUPPOSES =
  /(?:^|[\s,(])(?:if|unless|suppose|supposing|imagine|in case|whether|what happens|en cas|au cas|supposons|imaginons|que se passe)(?![a-zà-ÿœ])|(?<![a-zà-ÿœ])s(?:['’]ils?|i (?:j[e'’]|tu|on|nous|vous|ils?|elles?|l[ea'’]|les|une?|m(?:on|a|es)|v(?:otre|os)|ce(?:t|tte|s)?|c['’]|ça|cela|personne|quelqu))/i;

function clausesOf(text: string): Clause[] {
  const clauses: Clause[] = [];
  for (const sentence of text.split(/(?<=[.!?…])\s+|\n+/u)) {
    let isCondition = false;
    const parts = sentence.split(
      /[,;:()]\s|\s[–—-]\s|\s(?=(?:but|mais|because|parce que|car|and i|et je)(?![a-zà-ÿœ])|et j['’])/i,
    );
    for (const [n, part] of parts.entries()) {
      const clause = part.trim();
      if (clause === "") continue;
      // "If it is broken, it was late": what follows a condition stands under it, too.
      isCondition ||= SUPPOSES.test(clause);
      const asksWhole = n === parts.length - 1 && /\?\s*$/u.test(clause);
      clauses.push({ text: clause, isQuestion: asksWhole || ASKS.test(clause), isCondition });
    }
  }
  return clauses;
}
