import { isTelling } from "../../../shared/stems.ts";
import { foldedWords } from "../../../shared/words.ts";

// Words that stand for something said before, unless the question itself says it.
const pronouns = [
  // English
  /(?<![a-zà-ÿœ])(?:it|its|they|them|their|theirs|he|she|him|her|his)(?![a-zà-ÿœ])|(?<![a-zà-ÿœ])(?:otherwise|instead)(?= ?(?:$|\?))/gi,
  /(?<![a-zà-ÿœ])(?:this|that|these|those)(?= ?(?:$|[?.,!]| (?:include|cost|apply|mean|work|cover|take|come|need|count|also|have|depend|change|possible|free|enough|true|allowed|all|too)))/gi,
  /(?<![a-zà-ÿœ])(?:the|that|this|which|another|other|any) (?:[a-zà-ÿœ]+ )?ones?(?= ?(?:$|[?.,!]| (?:is|are|do|does|can|should|for|with|cost|costs|in|at)))/gi,
  /(?<!(?:is|are|anyone|somebody|someone|anybody) )(?<![a-zà-ÿœ])there(?= ?(?:$|[?.!]))/gi,
  /(?<![a-zà-ÿœ])the (?:same|others?|first|second|third|last)(?= ?(?:$|[?.!]| (?:price|for|as|apply)))/gi,
  // French
  /(?<![a-zà-ÿœ])(?:ils?|elles?)(?![a-zà-ÿœ])/gi,
  /(?<![a-zà-ÿœ])(?:celui|celle|ceux|celles)(?![a-zà-ÿœ])/gi,
  /(?<![a-zà-ÿœ])(?:ça|cela|ceci|dedans|dessus|là-bas|autrement)(?![a-zà-ÿœ])/gi,
  /(?<=(?<![a-zà-ÿœ-])(?:je|tu|on|nous|vous) (?:ne )?)(?:l[ea] |les |l['’])(?=[a-zà-ÿœ])/gi,
  /(?<=(?:puis-je|peut-on|peut|peux|pouvez-vous|dois-je|doit-on|dois|faut|faut-il|vais|veux|voudrais|souhaite|comment|où|quand) )(?:l[ea] |les |l['’])(?=[a-zà-ÿœ]+(?:er|ir|dre|oir|ttre)(?![a-zà-ÿœ]))/gi,
  /(?<=(?<![a-zà-ÿœ-])(?:j['’]|y |vous |on |combien |puis-je |peut-on ))en(?= )(?! [a-zà-ÿœ]+ant(?![a-zà-ÿœ]))|(?<![a-zà-ÿœ])en (?=avez|as-tu|faut)/gi,
  /(?<=(?<![a-zà-ÿœ-])(?:j['’]|vous |on |peut-on |puis-je ))y(?= )(?! a(?![a-zà-ÿœ]))/gi,
  /(?<![a-zà-ÿœ])(?:son|sa|ses|leurs?)(?= [a-zà-ÿœ])/gi,
  /(?<![a-zà-ÿœ])(?:c['’]est|est-ce|c['’]était)(?= (?!que|qui|quoi|quand|où)(?:[a-zà-ÿœ-]+ ){0,2}[a-zà-ÿœ-]+ ?\?)/gi,
  /(?<![a-zà-ÿœ])l(?:es? |a )mêmes?(?![a-zà-ÿœ])|(?<![a-zà-ÿœ])(?:l['’]autre|les autres)(?= ?(?:$|[?.!]))/gi,
];

// "Is it possible to …", "il faut …" and "y a-t-il …" stand for nothing.
const EXPLETIVE =
  /(?:is|was|would|will) it (?:be )?(?:possible|allowed|ok|okay|true|necessary|better|worth|safe)(?![a-zà-ÿœ])|(?<![a-zà-ÿœ])it(?:['’]s| is| was| would be) (?:possible|allowed|necessary|true|ok|okay)(?![a-zà-ÿœ])|(?:does|will|would|can|did|is) it(?: [a-zà-ÿœ]+){1,2} (?:to (?!the|a|my|your|our|this|that)|if |when )[a-zà-ÿœ]+|(?<![a-zà-ÿœ])(?:s['’]il|il (?:faut|y a|est (?:possible|interdit|permis|obligatoire)|existe|reste)|faut[- ]il|faudrait-il|y a[- ]t[- ]il|existe-t-il|(?:est|serait)-il (?:possible|permis|interdit|obligatoire) d|se passe-t-il|suffit-il|comment ça va|ça (?:[a-zà-ÿœ]+ )(?:de|d['’]|pour) ?[a-zà-ÿœ]+)/gi;
// What is named in an earlier clause of the question itself.
const BOUNDARY =
  /[,;:]|(?<![a-zà-ÿœ])(?:if|when|and|or|but|because|without|before|after|so|once|while|si|quand|et|ou|mais|pour|sans|avant|après|car|lorsque)(?![a-zà-ÿœ])/gi;

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
    /^(?:ils?|elles?)$/i.test(pronoun) && /(?:-|(?:est|sont|peut|doit|sera|etait|était) )$/i.test(before)
  ) return true;
  if (/^(?:its|their|sa|son|ses|leurs?)$/i.test(pronoun)) return true;
  const boundary = Array.from(before.matchAll(BOUNDARY)).at(-1);
  return boundary !== undefined && foldedWords(before.slice(0, boundary.index)).some(isTelling);
}

/** "C'est combien un Cargo ?": the noun comes behind. */
function namesItself(pronoun: string, after: string): boolean {
  return /^(?:ça|c['’]est|est-ce|ils?|elles?)$/i.test(pronoun) &&
    /(?<![a-zà-ÿœ])(?:une?|les?|la|des|du|votre|vos|ma|mon|mes) [a-zà-ÿœ]{3}|(?<![a-zà-ÿœ])l['’][a-zà-ÿœ]{3}/i
      .test(after) &&
    !/-$/.test(after);
}
