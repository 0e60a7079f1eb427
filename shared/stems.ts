import { wordWeight } from "./stop-words.ts";
import { foldedWords } from "./words.ts";

// Words that go with any subject; a sentence that shares nothing else with the question does not answer it.
const vague = new Set(
  ("case cas numero numeros tell parlez parler info pay pays paid paying payer paye payez " +
    "fee price cost prix tarif cout coute " +
    "bonjour bonsoir salut coucou merci svp plait desole hello hey thanks thank please sorry okay").split(
      " ",
    ),
);

/** Whether a folded word goes with any subject. */
export function isVague(word: string): boolean {
  return vague.has(word);
}

/** Whether a folded word says what a text is about. */
export function isTelling(word: string): boolean {
  return wordWeight(word) === 1 && !vague.has(word);
}

// Words for one thing that share no beginning, each group under its first.
const synonyms = new Map(
  [
    "cost costs price prices fee fees charge charges charged cout couter coute coutent prix tarif tarifs",
    "hours hour heure heures horaire horaires",
    "theft thefts steal stole stolen vol vole volee voler",
    "open opens opened opening ouvert ouverts ouverte ouvertes ouverture ouvre ouvrez",
    "phone phones telephone telephones",
    "email emails mail courriel",
    "identity id identite",
    "old age ages aged",
  ].flatMap((group) => group.split(" ").map((word, _, [first]) => [word, first!] as const)),
);

/** What the forms of a folded word share: "livrer" and "livraison", "open" and "opening", "cancel" and "cancelling" meet. */
export function stemOf(word: string): string {
  return (synonyms.get(word) ?? word).replace(/(?<=^.{3,})(?:aison|ation|ement|ing|er|ed|ez|ons|ent)s?$/, "")
    .slice(0, 5).replace(/(?<=^.{3,})(?:es|s|e)$/, "").replace(/(?<=^..+)(.)\1$/, "$1");
}

/** The stems of a text's words. */
export function stemsOf(text: string): Set<string> {
  return new Set(foldedWords(text).map(stemOf));
}
