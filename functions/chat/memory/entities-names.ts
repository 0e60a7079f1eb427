import { wordWeight } from "../../../shared/stop-words.ts";
import { fold } from "../../../shared/words.ts";
import type { Found } from "./entities.ts";
import type { Utterance } from "./utterance.ts";

/** How people say who they are, and how sure one may be that a name follows. */
interface Introduction {
  pattern: RegExp;
  confidence: number;
  /** Whether a name written in small letters counts: only where nothing but a name can follow. */
  small: boolean;
  /** Whether the name must end its phrase: "I am Bob." but not "I am Bob's neighbour". */
  whole: boolean;
}

const introductions: Introduction[] = [
  { pattern: /(?<![a-zà-ÿœ])j(?:e |['’])?m['’ ]?app?el+es? /gi, confidence: 0.95, small: true, whole: false },
  {
    pattern: /(?<![a-zà-ÿœ])je me présente ?[,:]? /gi,
    confidence: 0.9,
    small: false,
    whole: true,
  },
  {
    pattern:
      /^(?:bonjour|bonsoir|salut|coucou)[ ,!]+c['’]est |(?:^|[.!,] )(?=[A-ZÀ-Þ][a-zà-ÿœ-]+(?: [A-ZÀ-Þ][a-zà-ÿœ-]+)? here[.,!])/gi,
    confidence: 0.75,
    small: false,
    whole: true,
  },
  { pattern: /(?<![a-zà-ÿœ])je me nomme /gi, confidence: 0.95, small: true, whole: false },
  {
    pattern:
      /(?<![a-zà-ÿœ])mon (?:nom|prénom|prenom)(?: complet| de famille)?(?: et (?:mon )?prénom)? (?:est |c['’]est |: ?)/gi,
    confidence: 0.95,
    small: true,
    whole: false,
  },
  { pattern: /(?<![a-zà-ÿœ])moi,? c['’]est /gi, confidence: 0.85, small: true, whole: false },
  {
    pattern: /(?<![a-zà-ÿœ])my (?:full |first |last |given |family )?name(?:['’]?s| is|:) /gi,
    confidence: 0.95,
    small: true,
    whole: false,
  },
  {
    pattern: /^[ \t]*(?:nom(?: et prénom)?|prénom|name|full name|first name) ?: ?/gim,
    confidence: 0.9,
    small: true,
    whole: true,
  },
  { pattern: /(?<![a-zà-ÿœ])call me /gi, confidence: 0.85, small: false, whole: true },
  {
    pattern:
      /(?<![a-zà-ÿœ])(?:this is|ici|c['’]est) (?=.{2,60} (?:speaking|calling|here|from|à l['’]appareil|de l))/gi,
    confidence: 0.7,
    small: false,
    whole: true,
  },
  {
    pattern: /(?<![a-zà-ÿœ])(?:au nom d(?:e |['’])|(?:in|under) the name (?:of )?)/gi,
    confidence: 0.6,
    small: false,
    whole: true,
  },
  { pattern: /(?<![a-zà-ÿœ])(?:je suis|i am|i['’]m) /gi, confidence: 0.6, small: false, whole: true },
  {
    pattern:
      /^[ \t]*(?:(?:bien )?cordialement|bien à vous|sincères salutations|(?:best|kind|warm) regards|regards|sincerely|cheers),?[ \t]*\n+/gim,
    confidence: 0.8,
    small: false,
    whole: true,
  },
];

const SUPPOSED = /(?:^|[^a-zà-ÿœ])(?:if|whether|that|says?|said|suppose|si|que|comme si|dit|disait)[ ,]*$/i;
const TITLE = /^(?:m|mr|mrs|ms|mme|mlle|dr|madame|monsieur|mademoiselle)\.? /i;
const PARTICLES = new Set("de du des d la le van von der den da di ben bin el al ter dos".split(" "));
const AFTER =
  /^(?:\s*(?:$|[.,;:!?\n()–—-])|\s+(?:and|et|from|here|speaking|calling|à|de|at|with|j['’]|je|i|i['’]m)(?![a-zà-ÿœ]))/i;

// What is written where a name could stand, and is none.
const notNames = new Set((
  "sorry ok okay fine done new back here ready happy sad glad sure afraid interested trying vegan vegetarian muslim " +
  "christian jewish catholic british english french german italian spanish american canadian irish scottish welsh indian " +
  "chinese japanese dutch belgian swiss polish portuguese australian european asap monday tuesday wednesday thursday " +
  "friday saturday sunday january february march april june july august september october november december " +
  "wrong incorrect missing misspelled misspelt spelled spelt unknown private secret irrelevant already still listed " +
  "registered different hidden correct right please thanks late right customer student someone anyone nobody everyone " +
  "desole desolee pret prete nouveau nouvelle client cliente etudiant etudiante retraite retraitee malade enceinte " +
  "vegane vegetarien vegetarienne musulman musulmane chretien juif francais francaise anglais anglaise belge suisse " +
  "allemand allemande italien italienne espagnol espagnole portugais portugaise marocain marocaine algerien algerienne " +
  "tunisien tunisienne canadien canadienne quebecois quebecoise americain americaine parisien parisienne lyonnais " +
  "lyonnaise breton bretonne faux errone erronee incorrecte mal bien oublie absent manquant deja inconnu confidentiel " +
  "mauvais inverse urgent svp merci lundi mardi mercredi jeudi vendredi samedi dimanche janvier fevrier avril juin " +
  "juillet aout septembre octobre novembre decembre"
).split(" "));

/** The names that somebody gives as their own. */
export function findNames({ own }: Utterance): Found[] {
  return introductions.flatMap(({ pattern, confidence, small, whole }) =>
    Array.from(own.matchAll(pattern)).slice(0, 5).flatMap((match) => {
      if (SUPPOSED.test(own.slice(Math.max(0, match.index - 30), match.index))) return [];
      const name = readName(own.slice(match.index + match[0].length).slice(0, 120), { small, whole });
      if (name === null) return [];
      return [{
        type: "name" as const,
        value: name.value,
        confidence: name.isSmall ? confidence - 0.15 : confidence,
      }];
    })
  );
}

/** The name that a text begins with, in the usual spelling. */
function readName(
  text: string,
  { small, whole }: Pick<Introduction, "small" | "whole">,
): { value: string; isSmall: boolean } | null {
  let rest = text.replace(TITLE, "");
  const words: string[] = [];
  while (words.length < 4) {
    const [word] = /^\p{L}[\p{L}\p{M}'’-]{0,29}(?:(?<=^\p{Lu})\.)?/u.exec(rest) ?? [];
    if (
      word === undefined ||
      !isNameWord(word, { isFirst: words.length === 0, small, after: rest.slice(word.length) })
    ) break;
    // After a name with capitals a small word is no more of it, nor is a capital after a small one.
    if (words.length > 0 && isCapital(word) !== isCapital(words[0]!) && !PARTICLES.has(word)) break;
    words.push(word);
    rest = rest.slice(word.length);
    if (!/^ \p{L}/u.test(rest)) break;
    rest = rest.slice(1);
  }
  while (words.length > 0 && PARTICLES.has(words.at(-1)!)) words.pop();
  if (words.length === 0 || (whole && !AFTER.test(rest.replace(/^(?=\p{L})/u, " ")))) return null;
  return { value: words.map(spell).join(" "), isSmall: !isCapital(words[0]!) };
}

function isNameWord(
  word: string,
  { isFirst, small, after }: { isFirst: boolean; small: boolean; after: string },
): boolean {
  const folded = fold(word);
  if (!isFirst && PARTICLES.has(word)) return /^ \p{Lu}/u.test(after);
  if (notNames.has(folded) || /['’]s?$/u.test(word)) return false;
  if (isCapital(word)) {
    // "Will" and "May" are names, "ET" in a message of capitals is not.
    const isShouted = word.length > 1 && word === word.toUpperCase();
    return (!isShouted || wordWeight(folded) > 0.3) && !(isFirst && !small && /ing$/.test(folded));
  }
  if (!small || wordWeight(folded) < 1 || word.length < 2) return false;
  // The second of two small words is of the name only where the phrase ends with it.
  return isFirst || AFTER.test(after);
}

function isCapital(word: string): boolean {
  return /^\p{Lu}/u.test(word);
}

/** "MARIE-CLAIRE", "marie-claire" → "Marie-Claire"; what has capitals inside ("McDonald") stays. */
function spell(word: string, index: number): string {
  if (index > 0 && PARTICLES.has(word)) return word;
  const isPlain = word === word.toLowerCase() || (word.length > 1 && word === word.toUpperCase());
  if (!isPlain) return word;
  return word.toLowerCase().replace(/(?:^|[-'’])\p{L}/gu, (letter) => letter.toUpperCase());
}
