import type { Found } from "./entities.ts";
import type { Utterance } from "./utterance.ts";

/** What a visitor may want done, each with the verbs and nouns that say so, English and French. */
const intents: Record<string, { verbs: string; nouns: string }> = {
  purchase: { verbs: "buy|purchase|order|acheter|commander", nouns: "" },
  booking: {
    verbs:
      "book|reserve|hire|rent|make (?:a|an) (?:booking|reservation|appointment)|réserver|reserver|louer|prendre (?:un )?(?:rendez-vous|rdv)",
    nouns: "reservation|booking|appointment|réservation|rendez-vous|rdv",
  },
  cancellation: {
    verbs: "cancel|terminate|unsubscribe|annuler|résilier|resilier|me désabonner|me désinscrire",
    nouns: "cancellation|annulation|résiliation",
  },
  change: {
    verbs:
      "change|modify|move|reschedule|postpone|extend|modifier|changer|déplacer|deplacer|reporter|prolonger",
    nouns: "",
  },
  return: { verbs: "return|send back|retourner|renvoyer", nouns: "" },
  exchange: { verbs: "exchange|swap|échanger|echanger", nouns: "exchange|replacement|échange|remplacement" },
  refund: {
    verbs:
      "(?:be|get) (?:refunded|(?:a|my) (?:full )?refund)|(?:get|have) my money back|(?:être|me faire) rembours(?:é|ée|er)",
    nouns: "(?:full )?refund|money back|remboursement",
  },
  quote: {
    verbs: "(?:get|have|receive) (?:a )?(?:quote|estimate)|(?:avoir|recevoir|obtenir) un devis",
    nouns: "quote|estimate|devis",
  },
  contact: {
    verbs:
      "(?:speak|talk) (?:to|with) (?:some(?:one|body)|a (?:human|person|real person|manager)|an? (?:agent|advisor|adviser)|your)|parler (?:à|avec) (?:quelqu['’]un|un (?:humain|conseiller|responsable)|une personne|vous)",
    nouns: "",
  },
  complaint: {
    verbs: "complain|(?:make|file) a complaint|me plaindre|(?:faire|déposer) une réclamation",
    nouns: "",
  },
  payment: { verbs: "pay|payer|régler", nouns: "" },
  account: {
    verbs:
      "(?:open|create|close|delete) (?:an|my|the) account|(?:ouvrir|créer|fermer|supprimer) (?:un|mon|le) compte",
    nouns: "",
  },
};

const WANTS = lead(
  "(?:i|we) (?:really )?(?:want|need|wish|have|intend|plan) to|(?:i|we)(?:['’]d| would) (?:really )?(?:like|love|prefer) to|i(?:['’]m| am) (?:trying|going|looking|hoping) to|je (?:veux|voudrais|voulais|souhaite|souhaiterais|désire|dois|compte|vais|cherche à|tiens à)|on (?:veut|voudrait|aimerait|souhaite)|nous (?:voulons|voudrions|souhaitons|aimerions)|j['’]aimerais|j['’]ai besoin d['’e]|il faut que je (?:puisse )?|merci d['’e]|veuillez",
);
const ASKS = lead(
  "(?:can|could|may) (?:i|we)|how (?:do|can|could) (?:i|we)|is it possible to|puis-je|peut-on|on peut|je peux|pourrais-je|comment (?:puis-je|je (?:peux|fais pour)|faire pour)?|est-il possible d['’e]|pouvez-vous (?:m['’])?",
);
const WANTS_NOUN = lead(
  "(?:i|we) (?:really )?(?:want|need|demand|request)|(?:i|we)(?:['’]d| would) (?:really )?like|je (?:veux|voudrais|voulais|souhaite|souhaiterais|demande|désire|exige)|on (?:veut|voudrait)|j['’]aimerais|j['’]ai besoin d['’e]",
);
const ORDERS =
  /^(?:please |hi |hello )?(cancel|book|reserve|return|change|refund|exchange) (?:my|me|it|this|the|an?)(?![a-zà-ÿœ])|^(?:bonjour |svp |merci de )?(annulez|réservez|remboursez|échangez|modifiez)(?:-moi)?(?: (?:ma|mon|mes|l[ea]|ce|cette))?(?![a-zà-ÿœ])/i;
const ordered: Record<string, string> = {
  cancel: "cancellation",
  annulez: "cancellation",
  book: "booking",
  reserve: "booking",
  réservez: "booking",
  return: "return",
  change: "change",
  modifiez: "change",
  refund: "refund",
  remboursez: "refund",
  exchange: "exchange",
  échangez: "exchange",
};
const ADVERBS = /^(?: (?:to|really|also|just|now|please|aussi|bien|vraiment|juste|maintenant|encore))* ?/i;
const KNOW =
  /^(?:know|understand|savoir|comprendre) (?:how to|how i can|if i can|whether i can|comment|si je peux) ?/i;
const DETERMINER = /^(?:(?:an?|my|the|une?|mon|ma|le|la) |l['’])/i;

const expressions = Object.entries(intents).map(([value, { verbs, nouns }]) => ({
  value,
  verb: beginning(verbs),
  noun: beginning(nouns),
}));

/** A pattern for what comes before a verb. */
function lead(words: string): RegExp {
  return new RegExp(`(?<![a-zà-ÿœ])(?:${words})`, "gi");
}

function beginning(words: string): RegExp | null {
  return words === "" ? null : new RegExp(`^(?:${words})(?![a-zà-ÿœ])`, "i");
}

/** What the visitor wants to do: surely where they say so, less so where they ask whether they can. */
export function findIntents({ clauses }: Utterance): Found[] {
  return clauses.filter(({ isCondition }) => !isCondition).flatMap(({ text }) => {
    const [, english, french] = ORDERS.exec(text) ?? [];
    const order = ordered[(english ?? french ?? "").toLowerCase()];
    const wanted = behind(text, WANTS);
    const known = wanted.filter((rest) => KNOW.test(rest)).map((rest) => rest.replace(KNOW, ""));
    const sure = [
      ...(order === undefined ? [] : [order]),
      ...wanted.flatMap((rest) => named(rest, "verb")),
      ...behind(text, WANTS_NOUN).flatMap((rest) => named(rest.replace(DETERMINER, ""), "noun")),
    ];
    const likely = [...known, ...behind(text, ASKS)].flatMap((rest) => named(rest, "verb"));
    return [
      ...sure.map((value) => ({ type: "intent" as const, value, confidence: 0.9 })),
      ...likely.map((value) => ({ type: "intent" as const, value, confidence: 0.6 })),
    ];
  });
}

/** What stands behind each place where a pattern matches, adverbs left out. */
function behind(text: string, pattern: RegExp): string[] {
  return Array.from(
    text.matchAll(pattern),
    ({ 0: found, index }) => text.slice(index + found.length).replace(ADVERBS, ""),
  );
}

function named(rest: string, kind: "verb" | "noun"): string[] {
  return expressions.filter((expression) => expression[kind]?.test(rest)).map(({ value }) => value);
}
