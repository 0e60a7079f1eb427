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
