import { pattern } from "./guard-pattern.ts";

/**
 * What a word means where it stands. `secret`: the system prompt; `rules`: the assistant's instructions; `botrules`:
 * the same about some matter, which may be the shop's; `priorrules`: instructions given before, whosever; `weakprompt`:
 * a prompt, whosever; `told`: given to the assistant by others; `whole`: a text, all of it; `command`…: a verb said to
 * the assistant.
 */
export type Derived =
  | "secret"
  | "rules"
  | "limits"
  | "botrules"
  | "priorrules"
  | "weakprompt"
  | "systemmessage"
  | "told"
  | "earlier"
  | "announced"
  | "nolimits"
  | "roleplay"
  | "ownengine"
  | "source"
  | "habits"
  | "name";

// Looked for in this order, since a later one may need what an earlier one found. Each marks its first word, its last,
// or both.
/** Phrases that give one of their words a meaning. */
export const phrases = ([
  ["told", "last", "=you|=u|=youve|=youre 2 =were|=was|=been|=are|=re 1 given"],
  ["told", "last", "=were|=are|=been =you 2 given"],
  ["told", "last", "given =to|=a|=aux =you|=toi|=vous"],
  ["told", "last", "=you 1 =received|=operate|=work|=follow|=got|=run"],
  ["told", "last", "=guides|=guide|=guident|=drives =you"],
  ["told", "last", "=te|=t|=vous =guide|=guident|=dirige|=dirigent"],
  ["told", "last", "=t =a|=ont|=avait|=avaient 2 given"],
  ["told", "last", "=on =t|=vous 1 =a|=avait 1 given"],
  ["told", "last", "=tu|=vous|=t =as|=avez|=aviez|=avais =recu|=recus|=recue|=recues"],
  ["told", "last", "=tu|=vous =dois|=devez|=suis|=suivez|=operes|=operez|=bases"],
  // "The text above", "everything before this line", "tout ce qui précède".
  ["earlier", "last", "text|everything 3 above"],
  ["earlier", "last", "=tout|=toute|=integralite 6 above"],
  ["earlier", "last", "=what|=ce|=celui 4 above"],
  ["earlier", "last", "text|everything 6 before 2 anchor"],
  ["earlier", "last", "=tout|=ce 8 before 3 anchor"],
  ["earlier", "last", "first 2 text 4 chat"],
  ["nolimits", "both", "free"],
  ["nolimits", "both", "=non filtered"],
  ["nolimits", "both", "=no|=any|=without|=sans|=aucun|=aucune|=ni|=zero 3 limit|rule|instruction"],
  ["nolimits", "both", "=libre|=free 2 limit|rule|instruction"],
  ["nolimits", "both", "limit 3 =off|=disabled|=desactives|=desactive|=bypassed"],
  ["nolimits", "both", "=anything =now"],
  ["roleplay", "last", "pretend"],
  ["roleplay", "last", "=role =play|=playing|=plays"],
  ["roleplay", "last", "play 1 =the|=a|=an|=le|=un|=de 2 role"],
  ["roleplay", "last", "=jeu =de =role"],
  ["roleplay", "last", "=fais|=faites|=faire =comme =si"],
  ["ignore", "last", "act|=push|=go|=step|=opere 3 =beyond|=outside|=against|=counter|=dehors|=dela"],
  ["ignore", "last", "not 3 follow"],
  ["ignore", "last", "stop 3 follow"],
  ["ignore", "first", "put 5 aside"],
  // "The command behind your answers", "l'invite de ta formation".
  ["ownengine", "last", "your 3 engine"],
  ["source", "first", "cue 7 ownengine"],
  ["source", "first", "cue|=question|=request|=requete 6 cause 3 answer"],
  ["source", "first", "core 2 cue 6 told"],
  ["source", "first", "cue 2 core 6 told"],
] as const).map(([meaning, place, source]) => ({ meaning, place, steps: pattern(source) }));
