import type { GuardKind } from "./guard.ts";
import { type Pattern, pattern } from "./guard-pattern.ts";

/** A sign of an attack: words in an order, and how much they say. Three points make an attack. */
export interface Rule {
  kind: GuardKind;
  points: number;
  steps: Pattern;
  /** Says nothing in a question: "Are you now a bigger shop?" */
  notInQuestions: boolean;
}

const rules: Record<GuardKind, [points: number, pattern: string, notInQuestions?: "statement"][]> = {
  injection: [
    // Instructions are to be ignored, or declared void.
    [4, "ignore 5 secret|rules|limits|priorrules"],
    [3, "ignore 4 botrules"],
    [4, "ignore 4 everything|all 6 told"],
    [3, "ignore 6 habits", "statement"],
    [2, "ignore 3 earlier"],
    [3, "ignore 3 earlier|above 3 repeat|=say|=dis|=dire"],
    [3, "ignore 2 everything|=tout 6 repeat|=say|=dis|=dire"],
    [-3, "ignore 2 everything|=tout|earlier 4 =i|=je|=j|=we"],
    [2, "only 4 my 2 wish"],
    [2, "=i|=je 1 =command|=order|=ordonne"],
    [3, "switch 3 rules", "statement"],
    [4, "rules|limits|priorrules|secret 4 must|be 2 ignored"],
    [3, "rules|limits|secret 4 void"],
    [3, "priorrules 3 be 1 void"],
    [3, "rules|limits|priorrules|secret 3 not 2 applies"],
    [-3, "not 2 applies 1 =to|=au|=aux|=a =my|=mon|=ma|article"],
    [4, "rule|instruction 3 not 1 applies 1 =to|=a =you|=toi|=vous"],
    [2, "rules|limits|priorrules 3 mistake"],
    // New ones take their place.
    [3, "new 1 announced", "statement"],
    [1, "new 1 instruction"],
    [3, "=your|=ton|=ta|=tes|=votre|=vos new task"],
    [2, "new task 1 be"],
    [2, "end =of|=de|=du|=des|=la 2 input"],
    [2, "begin new instruction"],
    [2, "ignore 4 limit|rule", "statement"],
    [3, "decode 8 execute 3 =it|=that|=says|=dit|=contient|=contenu"],
    [2, "must 3 obey"],
    [2, "obey 1 =me|=moi|=all|=every|=any|=toutes|=tous"],
    [2, "allow 5 ignore"],
    [2, "obey|=listen|=ecoute|=ecoutez 4 =me|=moi", "statement"],
    [3, "usual 1 limit 3 not 2 applies", "statement"],
    [
      3,
      "wish 4 =priority|=important|=precedence|=over|=above|=override|=outrank|=outweigh|=priment|=avant 6 secret|rules|limits",
    ],
    [3, "only 1 follow|obey my wish", "statement"],
    [2, "ignore 2 above|=precede"],
  ],
  role_override: [
    [3, "^=you|=tu|=vous be now 1 article|assistant|persona|name", "statement"],
    [2, "^=you|=tu|=vous be name|persona", "statement"],
    [3, "=you|=tu|=vous be now 3 mode", "statement"],
    [3, "ignore 1 =that|=que 1 =you|=tu|=vous be 3 assistant|persona"],
    [2, "^now 1 =you|=tu|=vous 2 be|named|act|must", "statement"],
    [4, "=you|=tu|=vous 1 be 1 nolonger 3 assistant|persona"],
    [4, "stop 1 be 5 assistant"],
    [2, "=your|=ton|=votre =name 1 be", "statement"],
    [2, "=you|=tu|=t 1 named", "statement"],
    [3, "=you|=tu|=vous 4 act 1 as 4 persona"],
    [3, "^act 1 as 5 persona"],
    [3, "want 2 =you|=tu|=vous 2 act 1 as article|my"],
    [3, "roleplay 5 persona"],
    [3, "roleplay 5 nolimits"],
    [3, "roleplay 3 =you|=tu 1 be 4 persona"],
    [3, "=you|=tu|=vous 5 roleplay 6 persona|nolimits|role"],
    [3, "roleplay 2 =you|=tu|=vous 4 nolimits"],
    [3, "^=you|=tu|=vous 2 be 4 nolimits", "statement"],
    [3, "=you|=tu|=vous 1 =have|=as|=avez|=n|=are|=ai 3 nolimits", "statement"],
    [3, "act|persona|assistant|mode 6 nolimits", "statement"],
    [3, "nolimits 2 persona|assistant|mode"],
    [3, "^enable 3 modename 1 mode"],
    [3, "^enable 2 mode 4 modename"],
    [-3, "mode 2 =on|=of|=sur|=de|=du article|my"],
    [3, "=you|=tu|=vous 3 enable 3 mode 2 modename"],
    [3, "=you|=to|=and 3 enable 3 modename 1 mode"],
    [
      3,
      "^switch 2 =persona|=personality|=character|=identity|=personnalite|=personnage|=identite",
      "statement",
    ],
    [3, "switch 1 =your|=ton|=ta|=votre 1 role"],
    [3, "=your|=ton|=ta|=votre new role 2 be"],
    [2, "=i|=je|=am =am|=suis 1 =your|=ton|=ta|=votre|=the|=l 1 maker"],
    [2, "must 3 obey"],
    [1, "=dan|=jailbreak|=jailbroken|=stan|=dude"],
  ],
  disclosure: [
    [4, "repeat|tell 7 secret"],
    [4, "ask 7 secret"],
    [2, "secret"],
    [3, "repeat|tell 5 weakprompt"],
    [3, "repeat|tell 6 systemmessage"],
    [2, "ask 4 systemmessage"],
    [3, "repeat 5 rules"],
    [3, "tell 3 rules"],
    [3, "ask 7 rules"],
    [3, "repeat 5 limits"],
    [2, "tell 3 limits"],
    [2, "ask 7 limits"],
    [4, "ask|repeat|tell 5 source"],
    [3, "assistant 14 repeat 3 =their|=its|=ses|=leurs 1 instruction"],
    [2, "=in|=from|=of|=de|=dans|=du your 1 config"],
    [3, "=complete|=finish|=fill|=termine|=finis|=continue 6 my 1 instruction|prompt"],
    [1, "pretend 3 secret|rules"],
    [2, "source"],
    [3, "repeat 6 earlier"],
    [2, "tell 6 earlier"],
    [3, "ask 6 earlier"],
    [2, "ask|how 5 told"],
    [1, "exact"],
    [1, "repeat|tell 10 form"],
    [1, "hidden"],
    // "What you said above" is the answer before, "step 3" is in a manual.
    [-6, "you 2 said 6 earlier|above|before"],
    [-2, "step"],
  ],
};

/** The signs that the guard adds up. */
export function guardRules(): Rule[] {
  return made ??= (Object.keys(rules) as GuardKind[]).flatMap((kind) =>
    rules[kind].map(([points, source, only]) => ({
      kind,
      points,
      steps: pattern(source),
      notInQuestions: only === "statement",
    }))
  );
}

let made: Rule[] | undefined;
