import { type Language, languages, stopWords } from "./stop-words.ts";
import { eachWord, fold } from "./words.ts";

export type { Language } from "./stop-words.ts";

// Words of greetings and of questions to shops, which often come without any function word.
const usualWords: Record<Language, string> = {
  fr:
    `bonjour bonsoir salut merci oui livraison livrer commande commander prix tarif tarifs remise abonnement facture
    paiement payer retour retours remboursement rembourser garantie compte adresse panier horaires magasin boutique
    produit produits taille annuler modifier frais port colis mot passe oublie conditions vente mentions legales
    contrat conge conges aide numero telephone semaine jour jours mois annee delai delais disponible gratuit gratuite
    donne resume explique liste cest jai quest acheter ouvrir fermer horaire rendez reservation`,
  en: `hello hi hey thanks thank yes delivery deliver shipping ship order orders price prices pricing discount
    subscription invoice payment pay return returns refund warranty account address cart hours shop store product
    products size cancel change fees cost costs parcel password forgot terms sale policy contract holiday holidays
    help number phone week day days month year available free give tell summarise summarize explain list whats buy
    open close opening booking customer service`,
  de:
    `hallo danke ja guten lieferung liefern bestellung bestellen preis preise rabatt abonnement rechnung zahlung
    ruckgabe erstattung garantie konto adresse offnungszeiten laden geschaft grosse stornieren versand versandkosten
    paket passwort vergessen vertrag urlaub hilfe nummer woche tag tage monat jahr verfugbar kostenlos kostet dauert`,
  es:
    `hola gracias buenos buenas entrega envio envios pedido pedidos precio precios descuento suscripcion factura
    pago pagar devolucion devolver reembolso garantia cuenta direccion horario tienda producto productos talla
    cancelar cambiar gastos paquete contrasena olvidado contrato vacaciones ayuda numero semana dia dias mes ano
    disponible gratis cuesta plazo puedo`,
  it:
    `ciao grazie buongiorno consegna spedizione ordine ordini prezzo prezzi sconto abbonamento fattura pagamento
    pagare reso restituire rimborso garanzia indirizzo orari negozio prodotto prodotti taglia annullare cambiare
    spese pacco dimenticato contratto ferie aiuto numero settimana giorno giorni mese anno disponibile gratuito costa`,
  pt:
    `ola obrigado obrigada bom entrega envio encomenda pedido preco precos desconto assinatura fatura pagamento
    pagar devolucao devolver reembolso garantia conta endereco horario loja produto produtos tamanho cancelar mudar
    custos senha esqueci contrato ferias ajuda numero semana dia dias mes ano disponivel gratis custa prazo`,
  nl:
    `hallo bedankt dank levering bezorging levertijd bestelling bestellen prijs prijzen korting abonnement factuur
    betaling betalen retour retourneren terugbetaling garantie rekening adres openingstijden winkel maat annuleren
    wijzigen verzendkosten pakket wachtwoord vergeten contract vakantie hulp nummer week dag dagen maand jaar
    beschikbaar gratis kost kosten`,
};

const owners = new Map<string, Set<Language>>();
for (const language of languages) {
  for (const word of [...stopWords[language], ...usualWords[language].trim().split(/\s+/)]) {
    owners.set(word, (owners.get(word) ?? new Set()).add(language));
  }
}

// Spellings that point to a language in words that are not listed, lower-case with their accents.
const spellings: [RegExp, Language, number][] = [
  [/[êèàùîûœ]|^ç|ça|^é[^p]|eau|[oea]ux$|euse|[^aeiou]ez$|oir$|aison$|ette$|é$|ées?$|és$/, "fr", 0.4],
  [/^qu|ment$|ants?$|eurs?$|ique$|isse|ois$|ai[ts]$|tions?$|ures?$/, "fr", 0.15],
  [/^wh|^th|ght|ing$|tch|ck|sh|oo|ee|[^aeiou]y$|ness|ful$|ould|ed$|w$|kn/, "en", 0.3],
  [/tions?$|ly$|ty$|^un|ments?$/, "en", 0.15],
  [/[äöüß]|sch|ung$|[hk]eit$|lich|zt|pf|chen$|tz|^ge.*t$/, "de", 0.4],
  [/ñ|ción|ciones$|[^aeiou]idad|ll[ao]|[óí]n$|ues/, "es", 0.4],
  [/zione|gli|cc[hi]|zz|tà$|ggi|[^q]uo|etto$|ssi|[òì]$/, "it", 0.4],
  [/[ãõ]|nh|lh|dade$|eir[oa]|agem$|ê[ns]/, "pt", 0.4],
  [/ij|aa|ee[nlrst]|uu|[^i]eid$|sch?ap|tje|ouw|uit|oo[rnlt]|oe[klmnrstz]/, "nl", 0.4],
];

// Signs between words: "l'été" and "qu'il" are French, "dell'anno" Italian, "don't" English, "¿" Spanish.
const signs: [RegExp, Language, number][] = [
  [/(?<!\p{L})(?:[ldjnscmt]|(?:jus|lors|puis)?qu)['’](?=\p{L})/giu, "fr", 0.6],
  [/(?<!\p{L})(?:l|un|dell?|all?|nell?|sull?|dov|c|com|quest)['’](?=\p{L})/giu, "it", 0.5],
  [/\p{L}(?:n['’]t|['’](?:s|re|ve|ll|m|d))(?!\p{L})/giu, "en", 1],
  [/[¿¡]/gu, "es", 2],
];

const addresses = /(?:https?:\/\/|www\.)\S+|\S+@\S+/g;

// Below the first there is too little evidence, below the second too little between the two best languages.
const LEAST_POINTS = 0.3, LEAST_LEAD = 1.15;

/** The language of a text, or null when it does not say: too short, mixed, or none of the known ones. */
export function detectLanguage(text: string): Language | null {
  const points = score(sample(text).replace(addresses, " "));
  const [first, second] = languages.toSorted((a, b) => points[b] - points[a]);
  const isClear = points[first!] >= LEAST_POINTS && points[first!] >= points[second!] * LEAST_LEAD;
  return isClear ? first! : null;
}

function score(text: string): Record<Language, number> {
  const points: Record<Language, number> = { fr: 0, en: 0, de: 0, es: 0, it: 0, pt: 0, nl: 0 };
  eachWord(text, (start, end) => {
    const lower = text.slice(start, end).toLowerCase();
    const known = owners.get(fold(lower));
    if (known) {
      // A word of one language is one point, a word of four a quarter of a point for each.
      for (const owner of known) points[owner] += (lower.length > 1 ? 1 : 0.3) / known.size;
    } else if (lower.length > 2) {
      for (const [spelling, language, value] of spellings) {
        if (spelling.test(lower)) points[language] += value;
      }
    }
  });
  for (const [sign, language, value] of signs) points[language] += value * (text.match(sign)?.length ?? 0);
  return points;
}

const SAMPLE = 1200, SAMPLES = 5;

/** A short text whole; of a long one pieces from all over, since its beginning may be a title page. */
function sample(text: string): string {
  if (text.length <= SAMPLE * SAMPLES) return text;
  const step = Math.floor((text.length - SAMPLE) / (SAMPLES - 1));
  return Array.from({ length: SAMPLES }, (_, n) => text.slice(n * step, n * step + SAMPLE)).join("\n");
}
