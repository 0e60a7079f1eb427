import { sentencesOf } from "../../../shared/sentences.ts";
import { wordWeight } from "../../../shared/stop-words.ts";
import { fold, foldedWords } from "../../../shared/words.ts";

/** A sentence of an answer that states something. */
export interface Claim {
  /** Folded, without its markers. */
  text: string;
  /** The words that say what it is about; numbers are not among them. */
  words: string[];
  /** The numbers of the sources it names. */
  markers: number[];
}

const MARKER = /\[(\d+)\]/g;
// "Refunds take 30 days. [1]": the marker belongs to the sentence before it, as it does for the quote.
const MARKERS_BEHIND = /([.!?…]["»”’)*_]*)((?:\s*\[\d+\])+)/g;
const CODE = /```[^`]*(?:```|$)/g;
const LIST_SIGN = /^\s*(?:[-*•]|\d+[.)])\s+/;

/**
 * The sentences of an answer that state something, in French or English. Left out is what no source could bear out:
 * questions, headings, lines that lead in a list, code, courtesies, and that something is not known.
 */
export function claimsOf(answer: string): Claim[] {
  return sentencesOf(answer.replace(CODE, "\n\n").replace(MARKERS_BEHIND, "$2$1")).flatMap((sentence) => {
    const markers = [...sentence.matchAll(MARKER)].map(([, n]) => Number(n));
    const text = fold(sentence.replace(MARKER, "").replace(LIST_SIGN, "").replaceAll("’", "'")).trim();
    const words = foldedWords(text).filter((word) => wordWeight(word) >= 0.5 && !/^\p{N}+$/u.test(word));
    // A courtesy that names a source is none.
    const isClaim = /\d/.test(text) || words.some((word) => markers.length > 0 || !courtesies.has(word));
    return isClaim && !isTitle(text) && !isQuestion(text) && !isUnknown(text)
      ? [{ text, words, markers }]
      : [];
  });
}

function isTitle(text: string): boolean {
  return /^#|^\*\*[^*]+\*\*$/.test(text);
}

function isQuestion(text: string): boolean {
  return /[?:][*_»”"')\s]*$/.test(text);
}

// The beginning says it; an endless sentence is not searched from each of its words to its end.
function isUnknown(text: string): boolean {
  return unknown.some((one) => one.test(text.slice(0, 300)));
}

// A sentence of these alone greets, thanks, regrets, offers help, or announces what follows.
const courtesies = new Set(
  `hello hi hey good morning afternoon evening welcome thank thanks question questions know feel free contact hesitate
  hope help helps helpful assist happy glad sorry apologise apologize inconvenience nice great day sure course certainly
  pleasure answer details goodbye bye yes no
  bonjour bonsoir salut bienvenue merci plaisir question questions hesitez hesite contacter espere aide aider aidera
  reste disposition desole desolee desoles excuses bonne belle journee soiree bientot revoir oui non volontiers
  certainement sur reponse details voici informations information`.split(/\s+/),
);

// That the answer is not there, in the first person or of the documents.
const unknown = [
  /\b(?:i|we) (?:do not|don't|cannot|can't|could not|couldn't|did not|didn't|am (?:not able|unable)) (?:\w+ ){0,3}(?:know|find|see|say|tell|answer|information|details?)\b/,
  /\b(?:sources?|documents?|excerpts?|passages?|facts)\b.*\b(?:do not|don't|does not|doesn't|nothing|no)\b/,
  /\bno (?:\w+ )?(?:information|mention)\b|\bnot (?:mentioned|specified|stated)\b/,
  /\b(?:je|nous) (?:ne |n')(?:\w+ )?(?:sais|trouve|peux|vois|connais|dispose|ai|savons|trouvons|disposons|avons) (?:\w+ )?pas\b/,
  /\b(?:sources?|documents?|extraits?|passages?|faits)\b.*\b(?:ne|n')(?: |\b).*\b(?:pas|rien|aucune?)\b/,
  /\b(?:aucune|pas d')\s*(?:information|mention|precision|indication)|\bn'(?:est|sont) pas (?:precise|mentionne|indique)/,
];
