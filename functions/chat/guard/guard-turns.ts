const TEMPLATE =
  /<\|[a-z_]{2,30}\|>|\[\/?INST\]|<<\/?SYS>>|<\/?(?:start|end)_of_turn>|<\/?source\b|\[\/?(?:system|syst[eè]me)\b|<\/?(?:system|syst[eè]me|instructions?|admin|developer)(?:_prompt|_message)?>/i;
const HEADING = /^[ \t]*#{1,6}[ \t]*(?:\w+[ \t]){0,2}(?:system|syst[eè]me)\b/im;
const LABEL =
  /^[ \t>*_#-]*(system|syst[eè]me|assistant|user|utilisateur|human|humain|developer|d[eé]veloppeur|ai|ia)[ \t*_]*:/gim;

/** Points for signs of another speaker in a message: tokens of chat templates, headings, lines such as `System:`. */
export function turnPoints(text: string): number {
  const template = TEMPLATE.test(text) ? 4 : 0;
  const heading = HEADING.test(text) ? 3 : 0;
  const speakers = new Set(Array.from(text.matchAll(LABEL), ([, speaker]) => speaker!.toLowerCase()));
  return template + heading + (speakers.size > 1 ? 3 : speakers.size);
}
