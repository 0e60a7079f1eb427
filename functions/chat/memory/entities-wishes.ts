import type { Found } from "./entities.ts";
import type { Utterance } from "./utterance.ts";

const LIKES =
  /(?<![a-zà-ÿœ])(?:(?:i|we) (?:really |much |strongly |would |usually )?prefer(?: to have)?|i(?:['’]d| would) (?:much )?rather(?: have)?|i (?:really |absolutely |especially )?(?:love|like|enjoy|adore)|(?:je|on) préf[èe]re(?:rais|rait)?|nous préférons|j['’]aime(?: (?:bien|beaucoup|mieux|surtout|énormément))?|j['’]adore)(?![a-zà-ÿœ]) ?/i;
const DISLIKES =
  /(?<![a-zà-ÿœ])(?:i (?:do not|don['’]?t)(?: really)? (?:like|enjoy|eat|drink|want any)|i (?:really )?(?:hate|dislike|detest|avoid)|i (?:can['’]?t|cannot) stand|i(?:['’]m| am) allergic to|j(?:e n)?['’]aime (?:pas|plus|guère)(?: (?:du tout|trop|beaucoup|vraiment))?|je déteste|j['’]ai horreur d(?:e |es |u |['’])|je suis allergique (?:à la |à l['’]|à|aux|au)|je ne (?:supporte|mange|bois) (?:pas|plus)(?: d(?:e |['’]))?)(?![a-zà-ÿœ]) ?/i;
const FAVOURITE =
  /(?<![a-zà-ÿœ])(?:my favou?rite (?:[a-zà-ÿœ]+ ){1,2}(?:is|are)|m(?:on|a|es) [a-zà-ÿœ]+ préférée?s? (?:est|sont|c['’]est)) /i;
const DIET =
  /(?<![a-zà-ÿœ])(?:i(?:['’]m| am)(?: a)?|je suis) (vegan|vegetarian|végan|végane|végétarien(?:ne)?|left-handed|gauch(?:er|ère)|coeliac|cœliaque)(?![a-zà-ÿœ])/i;
// "I like it", "j'aime ça", "I prefer not to say" tell nothing that can be remembered.
const EMPTY =
  /^(?:it|that|this|them|you|your|how|when|what|not|to (?:know|say|ask)|ça|cela|ceci|vous|vos|votre|ne|le|la|les|que|quand|comment|pas)(?:$|[^a-zà-ÿœ])(?:le |la )?/i;
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
    const value = text.slice(match.index + match[0].length).replace(/\s+(?:please|thanks|svp|merci)$/i, "");
    const isNamed = /[a-zà-ÿœ]{3}/u.test(value) &&
      !(EMPTY.test(value) && !/^l[ea]s? [a-zà-ÿœ]{3}/i.test(value));
    return isNamed
      ? [
        preference(
          value,
          dislike ? "negative" : "positive",
          /préf|prefer|rather|favou?rite/i.test(match[0]) ? 0.9 : 0.75,
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
