import { foldedWords } from "../../../shared/words.ts";
import type { Found } from "./entities.ts";
import type { Clause, Utterance } from "./utterance.ts";

const BROKEN =
  "broken|damaged|faulty|defective|dirty|filthy|missing|unusable|cassée?s?|abîmée?s?|abimée?s?|défectueu(?:x|se|ses)|endommagée?s?|déchirée?s?|en panne|sales?|inutilisables?|manquante?s?";
const complaints = [
  // Something is not as it should be.
  `(?:is|are|was|were|arrived|came|got|['’]s|est|sont|était|étaient|arrivée?s?)(?: (?:already|completely|totally|all|still|very|really|again|arrivée?s?|complètement|totalement|toute?|encore|déjà|très))* (?:${BROKEN}|late|wrong|unacceptable|rude|en retard)`,
  "(?:does not|doesn['’]?t|did not|didn['’]?t|is not|isn['’]?t|will not|won['’]?t|stopped|no longer) (?:work(?:s|ing)?|start(?:s|ing)?|turn on|charg(?:e|ing))",
  "(?:ne |n['’])?(?:fonctionne|marche|démarre|s['’]allume|charge)(?:nt)? (?:pas|plus)",
  // Something has not come.
  "(?:never|still (?:not|have not|haven['’]?t|has not|hasn['’]?t)|have(?: not|n['’]?t) (?:yet )?|has(?: not|n['’]?t) (?:yet )?|did(?: not|n['’]?t)) ?(?:been )?(?:arrived?|received?|came|come|delivered|answered?|replied|reply|refunded)",
  "(?:toujours (?:pas|rien)|(?:pas|rien) encore|jamais|(?<=n['’](?:ai|a|avons) )(?:pas|rien))(?: été)? (?:reçue?s?|arrivée?s?|livrée?s?|remboursée?s?|répondu|eu de (?:réponse|nouvelles))",
  "(?:broke|has broken|just broke|died|gave up) (?:down|on me|after|during|this|yesterday|today)|(?:est|sont|c['’]est) tombée?s? en panne",
  "(?:been|am still|still) waiting (?:for |since )?(?:(?:over|more than|almost|about) )?(?:\\d+|two|three|four|weeks?|days?|months?|hours?|ages|an hour|my)|attends (?:depuis|toujours)|(?:fait|a) .{1,25} que j['’]attends",
  // Somebody is not treated as they should be.
  "i(?:['’]m| am|['’]ve been| was) (?:very |really |so |extremely |quite )*(?:disappointed|unhappy|angry|furious|dissatisfied|fed up|frustrated|overcharged|ignored)",
  "je suis (?:très |vraiment |si |tellement |extrêmement |plutôt )*(?:déçue?|mécontente?|furieu(?:x|se)|en colère|insatisfaite?|outrée?)",
  "(?:charged|billed|debited) (?:me )?twice|overcharged me|(?:débitée?|facturée?|prélevée?) (?:deux|2) fois",
  "(?:it['’]?s|this is|that['’]?s|what) (?:a |an |absolutely |completely |simply )*(?:scam|rip-?off|disgrace|unacceptable|ridiculous|disgusting|shame)|(?:c['’]est|c['’]était) (?:vraiment |une |un |tout simplement |totalement )*(?:arnaque|honte|honteux|inadmissible|inacceptable|scandaleux|scandale|n['’]importe quoi)",
].map((pattern) => new RegExp(`(?<![a-zà-ÿœ])(?:${pattern})(?![a-zà-ÿœ])`, "i"));

const LONGEST = 160;

/** What the visitor complains about, in their words. */
export function findComplaints({ clauses }: Utterance): Found[] {
  return clauses.filter(({ text, isCondition, isQuestion }) =>
    !isCondition && !isQuestion && complaints.some((pattern) => pattern.test(text))
  ).map(({ text }) => ({ type: "complaint", value: shorten(text), sentiment: "negative", confidence: 0.85 }));
}

function shorten(text: string): string {
  const plain = text.replace(/\s+/g, " ").replace(/[\s.!…]+$/u, "");
  return plain.length <= LONGEST ? plain : plain.slice(0, LONGEST).replace(/\s\S*$/u, "").toWellFormed();
}

// Words of a judgement, folded: at least one of them must be said of something, not asked about.
const good = new Set((
  "great excellent perfect amazing awesome fantastic wonderful brilliant delighted impressed satisfied happy pleased superb " +
  "love loved lovely parfait parfaite genial geniale excellente formidable ravi ravie content contente satisfait satisfaite " +
  "merveilleux merveilleuse impeccable bravo adore fantastique magnifique incroyable enchante enchantee"
).split(" "));
const bad = new Set((
  "terrible awful horrible worst disappointed disappointing angry furious useless unacceptable frustrated frustrating annoyed " +
  "annoying hate ridiculous unhappy dissatisfied disgusting disgrace upset pathetic nul nulle affreux affreuse decu decue " +
  "decevant decevante furieux furieuse lamentable inadmissible inacceptable scandaleux scandaleuse deteste catastrophique " +
  "agace agacee enerve enervee honteux honteuse mecontent mecontente insatisfait insatisfaite arnaque pire"
).split(" "));
// Worth a word only when denied: "not good", "pas terrible".
const weak = new Set("good helpful useful top terrible".split(" "));
const negations = new Set(
  "not no never isn wasn don doesn didn aren cannot hardly pas plus jamais guere".split(" "),
);
// "Happy to wait", "content de vous lire": politeness.
const POLITE =
  /(?:happy|pleased|delighted|ravie?|contente?|enchantée?)(?![a-zà-ÿœ]) (?:to|d['’e])(?![a-zà-ÿœ])/i;
const GOOD_SIGNS = /[😀😃😄😁😊🙂😍🥰👍❤🎉🙏]/gu, BAD_SIGNS = /[😠😡🤬😤😞😢😭👎💩]/gu;

/** How the visitor feels, when their own statements say it. */
export function findSentiment({ own, clauses }: Utterance): Found[] {
  let points = count(own, GOOD_SIGNS) - count(own, BAD_SIGNS);
  for (const clause of clauses) {
    if (!clause.isCondition && !clause.isQuestion) points += judge(clause);
  }
  if (points === 0) return [];
  const sentiment = points > 0 ? "positive" : "negative";
  const confidence = Math.min(0.95, 0.55 + 0.15 * Math.abs(points));
  return [{ type: "sentiment", value: sentiment, sentiment, confidence }];
}

function judge({ text }: Clause): number {
  if (/weather|météo|(?:fait un|le) temps/i.test(text)) return 0;
  const words = foldedWords(text.replace(POLITE, " "));
  let points = 0;
  for (const [at, word] of words.entries()) {
    const value = good.has(word) ? 1 : bad.has(word) ? -1 : 0;
    if (value === 0 && !weak.has(word)) continue;
    // "Not at all happy", "pas vraiment content"; "not bad" says less than "good".
    const isNegated = words.slice(Math.max(0, at - 4), at).some((before) => negations.has(before));
    points += !isNegated ? value : bad.has(word) && !weak.has(word) ? 0 : -1;
  }
  const complained = complaints.some((pattern) => pattern.test(text));
  return complained ? Math.min(points, -1) : points;
}

function count(text: string, signs: RegExp): number {
  return Math.min(3, text.match(signs)?.length ?? 0);
}
