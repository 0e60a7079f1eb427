import type { Found } from "./entities.ts";
import type { Utterance } from "./utterance.ts";

// More addresses than these are a list, not somebody's own.
const MOST = 10;

/** The e-mail addresses in a text, each with how likely it is the visitor's own. */
export function findEmails({ text, own }: Utterance): Found[] {
  const found: Found[] = [];
  let end = 0;
  for (let at = text.indexOf("@"), seen = 0; at >= 0 && seen < MOST; at = text.indexOf("@", at + 1), seen++) {
    const [local = ""] = /[\w.%+'-]{1,64}$/.exec(text.slice(Math.max(end, at - 64), at)) ?? [];
    const [domain = ""] =
      /^[\w-]{1,63}(?:\.[\w-]{1,63}){0,4}\.[a-z]{2,24}(?![\w@-])/i.exec(text.slice(at + 1, at + 256)) ?? [];
    const name = local.replace(/^[.'%+-]+/, "");
    if (name === "" || domain === "" || /\.\.|\.$/.test(name)) continue;
    const start = at - name.length;
    const confidence = ownership(text, own, { start, from: end, bare: 0.7 });
    end = at + 1 + domain.length;
    if (confidence === null) continue;
    const isMachine = /^(?:no-?reply|do-?not-?reply|mailer-daemon|postmaster)$/i.test(name);
    const value = `${name}@${domain}`.toLowerCase();
    found.push({ type: "email", value, confidence: isMachine ? Math.min(confidence, 0.2) : confidence });
  }
  return found;
}

const PHONE =
  /(?<![\p{L}\p{N}@.,/#_-])(?:\+|00)?\(?\d(?:[ \u00a0\u202f().-]{0,2}\d){6,17}(?![\p{L}\p{N}@_]|[.,]\d)/gu;
const CUE =
  /(?:t[ée]l(?:[ée]phon[a-zà-ÿœ]*)?|phone|mobile|cell|portable|fixe|whatsapp|sms|text|call|ring|reach|appel[a-zà-ÿœ]*|joi(?:n|gn)[a-zà-ÿœ]*|rappel[a-zà-ÿœ]*|contact[a-zà-ÿœ]*)[^\d\n]{0,30}$|(?:my number|mon num[ée]ro)(?: is| est)?[^a-zà-ÿœ\d\n]{0,6}(?:le )?$/i;
// What such numbers count besides telephones.
const OTHER_NUMBER =
  /(?:commande|order|facture|invoice|booking|r[ée]servation|siret|siren|tva|vat|iban|rib|suivi|tracking|r[ée]f[ée]?(?:rence)?|client|customer|contra(?:c)?t|dossier|ticket|s[ée]rie|serial|carte|card|isbn|ean|code|account|compte|colis|parcel|colissimo)[^a-zà-ÿœ\d]{0,3}(?:number|num[ée]ro|n[°º]|no\.?|id)?[^a-zà-ÿœ\d]{0,3}(?:is|est|:|#)?[^a-zà-ÿœ\d]{0,3}(?:le )?$|[€$£]\s?$/i;

/** The telephone numbers in a text: international and French ones as `+33612345678`, others by their digits. */
export function findPhones({ text, own }: Utterance): Found[] {
  const found: Found[] = [];
  let from = 0;
  for (const match of Array.from(text.matchAll(PHONE)).slice(0, MOST)) {
    const start = match.index, written = match[0];
    const before = text.slice(Math.max(from, start - 60), start);
    const hasCue = CUE.test(before);
    const value = OTHER_NUMBER.test(before) ||
        /^\s?(?:[€$£%]|eur|km|kg|m²|ans|years)/i.test(text.slice(start + written.length))
      ? null
      : normalPhone(written, hasCue);
    if (value === null) continue;
    const isSure = value.startsWith("+") || hasCue;
    const confidence = ownership(text, own, { start, from, bare: isSure ? 0.7 : 0.5 });
    from = start + written.length;
    if (confidence !== null) found.push({ type: "phone", value, confidence });
  }
  return found;
}

/** A number without its signs, or null when it is more likely something else. */
function normalPhone(written: string, hasCue: boolean): string | null {
  const plain = written.replace(/\(0\)/, "").trim();
  const digits = plain.replace(/\D/g, "");
  if (plain.startsWith("+") || (plain.startsWith("00") && digits.length >= 11)) {
    const number = plain.startsWith("+") ? digits : digits.slice(2);
    return /^[1-9]\d{7,14}$/.test(number) ? `+${number.replace(/^330(?=\d{9}$)/, "33")}` : null;
  }
  if (
    /^\d{4}-\d\d?-\d\d?$|^\d\d?[.-]\d\d?[.-]\d{4}$|^\d{1,3}(?:[ .\u00a0\u202f]\d{3})+$/.test(plain) && !hasCue
  ) return null;
  // Written in pairs, or as ten digits in a row.
  if (/^0[1-9](?:([ .\u00a0\u202f-]?)\d\d)(?:\1\d\d){3}$/.test(plain)) return `+33${digits.slice(1)}`;
  if (digits.length < 7 || digits.length > 12) return null;
  const isUsual = /^0\d{3,4}[ -]\d{3}[ -]?\d{3,4}$|^\(\d{3}\) ?\d{3}-\d{4}$/.test(plain);
  return hasCue || isUsual ? digits : null;
}

const NOT = new RegExp(
  String
    .raw`(?<![a-zà-ÿœ])(?:not|[a-zà-ÿœ]+n['’]t|never|no longer|jamais|pas|plus)(?: (?:use|have|using|utilise|à|at))?` +
    String
      .raw`(?: (?:my|mon|ma|the|le|la|l['’]))?(?: ?(?:new |current |right |bonne? )?(?:e-?mail|mail|address|number|adresse|num[ée]ro|courriel))?[\s:,]*$` +
    String
      .raw`|(?<![a-zà-ÿœ])(?:old|previous|former|ancien(?:ne)?) (?:e-?mail|mail|address|number|adresse|num[ée]ro|courriel|mobile)[^.!?\n@\d]{0,20}$`,
  "i",
);
const BUT = /(?<![a-zà-ÿœ])(?:but|mais|instead|plutôt|now|désormais|maintenant)(?![a-zà-ÿœ])/gi;
const MINE =
  /(?<![a-zà-ÿœ])(?:my|mine|mon|ma|mes|me|moi|m['’](?:é|e|a|j)[a-zà-ÿœ]+|reach me|i am|i['’]m|je suis|joignable)(?![a-zà-ÿœ])[^.!?\n@]{0,40}$|(?:^|\n)\s*(?:e-?mail|mail|courriel|t[ée]l(?:[ée]phone)?\.?|phone|mobile|portable|contact)\s*:\s*$/i;
const THEIRS =
  /(?<![a-zà-ÿœ])(?:your|his|her|their|its|votre|vos|son|sa|leur|ton|ta|the (?:manager|seller|office|support|owner)|friend|wife|husband|mother|father|boss|colleague|ami|amie|femme|mari|mère|père|patron|collègue|from|by|de la part de|reçu|received|wrote to|written to|write to|called|rang|écrit à|(?<!m['’])écrire à|écrivez à|appelé|(?<!m['’])appeler|contacté|contacter|call|replace|remplacer)(?![a-zà-ÿœ])[^.!?\n@]{0,25}$/i;

/** How likely what stands at `start` is the visitor's own; null when they say that it is not. */
function ownership(
  text: string,
  own: string,
  { start, from, bare }: { start: number; from: number; bare: number },
): number | null {
  if (/\s/.test(own[start]!)) return 0.3;
  const spoken = own.slice(Math.max(from, start - 80), start).split(/[.!?]\s|\n(?=\S+\s)/u).at(-1)!.split(BUT)
    .at(-1)!;
  if (NOT.test(spoken)) return null;
  const mine = MINE.exec(spoken)?.index ?? -1, theirs = THEIRS.exec(spoken)?.index ?? -1;
  if (theirs >= 0 && theirs > mine) return 0.3;
  if (mine >= 0) return 0.95;
  // "Is it info@example.com?", "05 46 00 12 34 does not answer": somebody else's.
  if (
    /^\S*[^.!?\n]{0,40}\?|^[^.!?\n]{0,40}(?:ne répond|n['’]est pas joignable|not? answer)/i.test(
      text.slice(start),
    )
  ) return 0.4;
  // Sent alone, it answers a question for it.
  const isAlone = !/[a-zà-ÿœ]{2}/u.test(text.slice(0, start)) && text.length - start < 80;
  return isAlone ? Math.max(bare, 0.85) : bare;
}
