import { isTelling } from "../../shared/stems.ts";
import { foldedWords } from "../../shared/words.ts";

// Words that stand for something said before, unless the question itself says it.
const pronouns = [
  // English
  /(?<!\p{L})(?:it|its|they|them|their|theirs|he|she|him|her|his)(?!\p{L})|(?<!\p{L})(?:otherwise|instead)(?= ?(?:$|\?))/giu,
  /(?<!\p{L})(?:this|that|these|those)(?= ?(?:$|[?.,!]| (?:include|cost|apply|mean|work|cover|take|come|need|count|also|have|depend|change|possible|free|enough|true|allowed|all|too)))/giu,
  /(?<!\p{L})(?:the|that|this|which|another|other|any) (?:\p{L}+ )?ones?(?= ?(?:$|[?.,!]| (?:is|are|do|does|can|should|for|with|cost|costs|in|at)))/giu,
  /(?<!(?:is|are|anyone|somebody|someone|anybody) )(?<!\p{L})there(?= ?(?:$|[?.!]))/giu,
  /(?<!\p{L})the (?:same|others?|first|second|third|last)(?= ?(?:$|[?.!]| (?:price|for|as|apply)))/giu,
  // French
  /(?<!\p{L})(?:ils?|elles?)(?!\p{L})/giu,
  /(?<!\p{L})(?:celui|celle|ceux|celles)(?!\p{L})/giu,
  /(?<!\p{L})(?:ça|cela|ceci|dedans|dessus|là-bas|autrement)(?!\p{L})/giu,
  /(?<=(?<![\p{L}-])(?:je|tu|on|nous|vous) (?:ne )?)(?:l[ea] |les |l['’])(?=\p{L})/giu,
  /(?<=(?:puis-je|peut-on|peut|peux|pouvez-vous|dois-je|doit-on|dois|faut|faut-il|vais|veux|voudrais|souhaite|comment|où|quand) )(?:l[ea] |les |l['’])(?=\p{L}+(?:er|ir|dre|oir|ttre)(?!\p{L}))/giu,
  /(?<=(?<![\p{L}-])(?:j['’]|y |vous |on |combien |puis-je |peut-on ))en(?= )(?! \p{L}+ant(?!\p{L}))|(?<!\p{L})en (?=avez|as-tu|faut)/giu,
  /(?<=(?<![\p{L}-])(?:j['’]|vous |on |peut-on |puis-je ))y(?= )(?! a(?!\p{L}))/giu,
  /(?<!\p{L})(?:son|sa|ses|leurs?)(?= \p{L})/giu,
  /(?<!\p{L})(?:c['’]est|est-ce|c['’]était)(?= (?!que|qui|quoi|quand|où)(?:[\p{L}-]+ ){0,2}[\p{L}-]+ ?\?)/giu,
  /(?<!\p{L})l(?:es? |a )mêmes?(?!\p{L})|(?<!\p{L})(?:l['’]autre|les autres)(?= ?(?:$|[?.!]))/giu,
];

// "Is it possible to …", "il faut …" and "y a-t-il …" stand for nothing.
const EXPLETIVE =
  /(?:is|was|would|will) it (?:be )?(?:possible|allowed|ok|okay|true|necessary|better|worth|safe)(?!\p{L})|(?<!\p{L})it(?:['’]s| is| was| would be) (?:possible|allowed|necessary|true|ok|okay)(?!\p{L})|(?:does|will|would|can|did|is) it(?: \p{L}+){1,2} (?:to (?!the|a|my|your|our|this|that)|if |when )\p{L}+|(?<!\p{L})(?:s['’]il|il (?:faut|y a|est (?:possible|interdit|permis|obligatoire)|existe|reste)|faut[- ]il|faudrait-il|y a[- ]t[- ]il|existe-t-il|(?:est|serait)-il (?:possible|permis|interdit|obligatoire) d|se passe-t-il|suffit-il|comment ça va|ça (?:\p{L}+ )(?:de|d['’]|pour) ?\p{L}+)/giu;
// What is named in an earlier clause of the question itself.
const BOUNDARY =
  /[,;:]|(?<!\p{L})(?:if|when|and|or|but|because|without|before|after|so|once|while|si|quand|et|ou|mais|pour|sans|avant|après|car|lorsque)(?!\p{L})/giu;

/** Whether a question has a pronoun, or the like, for something that it does not name itself. */
export function refersBack(question: string): boolean {
  const text = question.replace(EXPLETIVE, (found) => "_".repeat(found.length));
  return pronouns.some((pattern) =>
    Array.from(text.matchAll(pattern)).some(({ 0: pronoun, index }) =>
      !isNamed(text.slice(0, index), pronoun, text)
    )
  );
}

function isNamed(before: string, pronoun: string, text: string): boolean {
  if (!foldedWords(before).some(isTelling)) return namesItself(pronoun, text.slice(before.length));
  // "Le casque est-il obligatoire ?", "Does the drill come with its charger?": the noun stands right before.
  if (
    /^(?:ils?|elles?)$/iu.test(pronoun) && /(?:-|(?:est|sont|peut|doit|sera|etait|était) )$/iu.test(before)
  ) return true;
  if (/^(?:its|their|sa|son|ses|leurs?)$/iu.test(pronoun)) return true;
  const boundary = Array.from(before.matchAll(BOUNDARY)).at(-1);
  return boundary !== undefined && foldedWords(before.slice(0, boundary.index)).some(isTelling);
}

/** "C'est combien un Cargo ?": the noun comes behind. */
function namesItself(pronoun: string, after: string): boolean {
  return /^(?:ça|c['’]est|est-ce|ils?|elles?)$/iu.test(pronoun) &&
    /(?<!\p{L})(?:une?|les?|la|des|du|votre|vos|ma|mon|mes) \p{L}{3}|(?<!\p{L})l['’]\p{L}{3}/iu.test(after) &&
    !/-$/.test(after);
}
