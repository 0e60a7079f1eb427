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

const WANTS =
  "(?:i|we) (?:really )?(?:want|need|wish|have|intend|plan) to|(?:i|we)(?:['’]d| would) (?:really )?(?:like|love|prefer) to|i(?:['’]m| am) (?:trying|going|looking|hoping) to|je (?:veux|voudrais|voulais|souhaite|souhaiterais|désire|dois|compte|vais|cherche à|tiens à)|on (?:veut|voudrait|aimerait|souhaite)|nous (?:voulons|voudrions|souhaitons|aimerions)|j['’]aimerais|j['’]ai besoin d['’e]|il faut que je (?:puisse )?|merci d['’e]|veuillez";
const ASKS =
  "(?:can|could|may) (?:i|we)|how (?:do|can|could) (?:i|we)|is it possible to|puis-je|peut-on|on peut|je peux|pourrais-je|comment (?:puis-je|je (?:peux|fais pour)|faire pour)?|est-il possible d['’e]|pouvez-vous (?:m['’])?";
const WANTS_NOUN =
  "(?:i|we) (?:really )?(?:want|need|demand|request)|(?:i|we)(?:['’]d| would) (?:really )?like|je (?:veux|voudrais|voulais|souhaite|souhaiterais|demande|désire|exige)|on (?:veut|voudrait)|j['’]aimerais|j['’]ai besoin d['’e]";
const ORDERS =
  /^(?:please |hi |hello )?(cancel|book|reserve|return|change|refund|exchange) (?:my|me|it|this|the|an?)(?!\p{L})|^(?:bonjour |svp |merci de )?(annulez|réservez|remboursez|échangez|modifiez)(?:-moi)?(?: (?:ma|mon|mes|l[ea]|ce|cette))?(?!\p{L})/iu;
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
const ADVERB = "(?: (?:to|really|also|just|now|please|aussi|bien|vraiment|juste|maintenant|encore))*";
const KNOW =
  "(?: (?:know|understand|savoir|comprendre) (?:how to|how i can|if i can|whether i can|comment|si je peux))?";

const expressions = Object.entries(intents).map(([value, { verbs, nouns }]) => ({
  value,
  wants: new RegExp(`(?<!\\p{L})(?:${WANTS})${ADVERB} ?(?:${verbs})(?!\\p{L})`, "iu"),
  asks: new RegExp(`(?<!\\p{L})(?:${ASKS}|(?:${WANTS})${KNOW})${ADVERB} ?(?:${verbs})(?!\\p{L})`, "iu"),
  wantsNoun: nouns === "" ? null : new RegExp(
    `(?<!\\p{L})(?:${WANTS_NOUN})${ADVERB} ?(?:a|an|my|the|un|une|mon|ma|le|la|l['’])? ?(?:${nouns})(?!\\p{L})`,
    "iu",
  ),
}));

/** What the visitor wants to do: surely where they say so, less so where they ask whether they can. */
export function findIntents({ clauses }: Utterance): Found[] {
  const found: Found[] = [];
  for (const { text, isCondition } of clauses) {
    if (isCondition) continue;
    const [, english, french] = ORDERS.exec(text) ?? [];
    const order = ordered[(english ?? french ?? "").toLowerCase()];
    if (order !== undefined) found.push({ type: "intent", value: order, confidence: 0.9 });
    for (const { value, wants, asks, wantsNoun } of expressions) {
      const isWanted = wants.test(text) || (wantsNoun?.test(text) ?? false);
      if (isWanted) found.push({ type: "intent", value, confidence: 0.9 });
      else if (asks.test(text)) found.push({ type: "intent", value, confidence: 0.6 });
    }
  }
  return found;
}

const LIKES =
  /(?<!\p{L})(?:(?:i|we) (?:really |much |strongly |would |usually )?prefer(?: to have)?|i(?:['’]d| would) (?:much )?rather(?: have)?|i (?:really |absolutely |especially )?(?:love|like|enjoy|adore)|(?:je|on) préf[èe]re(?:rais|rait)?|nous préférons|j['’]aime(?: (?:bien|beaucoup|mieux|surtout|énormément))?|j['’]adore)(?!\p{L}) ?/iu;
const DISLIKES =
  /(?<!\p{L})(?:i (?:do not|don['’]?t)(?: really)? (?:like|enjoy|eat|drink|want any)|i (?:really )?(?:hate|dislike|detest|avoid)|i (?:can['’]?t|cannot) stand|i(?:['’]m| am) allergic to|j(?:e n)?['’]aime (?:pas|plus|guère)(?: (?:du tout|trop|beaucoup|vraiment))?|je déteste|j['’]ai horreur d(?:e |es |u |['’])|je suis allergique (?:à la |à l['’]|à|aux|au)|je ne (?:supporte|mange|bois) (?:pas|plus)(?: d(?:e |['’]))?)(?!\p{L}) ?/iu;
const FAVOURITE =
  /(?<!\p{L})(?:my favou?rite (?:\p{L}+ ){1,2}(?:is|are)|m(?:on|a|es) \p{L}+ préférée?s? (?:est|sont|c['’]est)) /iu;
const DIET =
  /(?<!\p{L})(?:i(?:['’]m| am)(?: a)?|je suis) (vegan|vegetarian|végan|végane|végétarien(?:ne)?|left-handed|gauch(?:er|ère)|coeliac|cœliaque)(?!\p{L})/iu;
// "I like it", "j'aime ça", "I prefer not to say" tell nothing that can be remembered.
const EMPTY =
  /^(?:it|that|this|them|you|your|how|when|what|not|to (?:know|say|ask)|ça|cela|ceci|vous|vos|votre|ne|le|la|les|que|quand|comment|pas)(?:$|[^\p{L}])(?:le |la )?/iu;
const LONGEST = 100;

/** What the visitor likes and dislikes. */
export function findPreferences({ clauses }: Utterance): Found[] {
  return clauses.flatMap(({ text, isCondition, isQuestion }) => {
    if (isCondition || isQuestion) return [];
    const diet = DIET.exec(text)?.[1];
    if (diet !== undefined) return [preference(diet, "positive", 0.9)];
    const dislike = DISLIKES.exec(text);
    const like = dislike === null ? LIKES.exec(text) ?? FAVOURITE.exec(text) : null;
    const match = dislike ?? like;
    if (match === null) return [];
    const value = text.slice(match.index + match[0].length).replace(/\s+(?:please|thanks|svp|merci)$/iu, "");
    const isNamed = /\p{L}{3}/u.test(value) && !(EMPTY.test(value) && !/^l[ea]s? \p{L}{3}/iu.test(value));
    return isNamed
      ? [
        preference(
          value,
          dislike ? "negative" : "positive",
          /préf|prefer|rather|favou?rite/iu.test(match[0]) ? 0.9 : 0.75,
        ),
      ]
      : [];
  });
}

function preference(value: string, sentiment: "positive" | "negative", confidence: number): Found {
  return { type: "preference", value: shorten(value), sentiment, confidence };
}

/** A phrase as it is kept: small letters, one line, whole words. */
function shorten(phrase: string): string {
  const plain = phrase.toLowerCase().replace(/\s+/g, " ").replace(/^[\s:]+|[\s.!?…]+$/gu, "");
  return plain.length <= LONGEST ? plain : plain.slice(0, plain.lastIndexOf(" ", LONGEST)).slice(0, LONGEST);
}
