// Letters of other scripts that look like Latin ones, each pair of characters one of them and the letter it is read as.
const LOOKALIKES = "аaвbеeкkмmнhоoрpсcтtуyхxіiјjѕsһhԁdԛqԝwгrпnиuьbзeҽeӏlցgօoսuհhոnցgզq" +
  "αaβbεeηnιiκkνvοoρpτtυuχxγyωwσoςs" +
  "ᴀaʙbᴄcᴅdᴇeꜰfɢgʜhɪiᴊjᴋkʟlᴍmɴnᴏoᴘpʀrꜱsᴛtᴜuᴠvᴡwʏyᴢzɡgɑaıiłløođdħhŧtƒf";

let lookalikes: Map<string, string> | undefined;

/** A folded word as a reader sees it: letters of other scripts become the Latin ones that they look like. */
export function asSeen(word: string): string {
  lookalikes ??= new Map(
    Array.from({ length: LOOKALIKES.length / 2 }, (_, n) => [LOOKALIKES[2 * n]!, LOOKALIKES[2 * n + 1]!]),
  );
  let seen = "";
  for (const letter of word) seen += letter < "\x80" ? letter : lookalikes.get(letter) ?? letter;
  return seen;
}

/**
 * A text without what only machines see: compatibility forms become plain letters, invisible characters and marks of
 * direction disappear, and letters hidden as tags, emoji or entities come to light.
 */
export function visible(text: string): string {
  return text
    .replace(/[\u{E0020}-\u{E007E}]+/gu, (tags) => ` ${shifted(tags, 0xe0000)} `)
    .replace(/[\u{1F1E6}-\u{1F1FF}]/gu, (flag) => shifted(flag, 0x1f1e6 - 97))
    .replace(
      /[\u{1F150}-\u{1F169}\u{1F170}-\u{1F189}]/gu,
      (letter) => String.fromCodePoint((letter.codePointAt(0)! - 0x1f150) % 32 + 97),
    )
    .normalize("NFKC")
    .replace(/[\p{Cf}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufe00-\ufe0f]/gu, "")
    .replace(/&(?:#(\d{1,6})|#x([\da-f]{1,5})|nbsp);/gi, (_, decimal, hexadecimal) => {
      const code = decimal ? Number(decimal) : hexadecimal ? parseInt(hexadecimal, 16) : 32;
      return code > 31 && code < 0x110000 && (code < 0xd800 || code > 0xdfff)
        ? String.fromCodePoint(code)
        : " ";
    })
    .replace(/\\u\{?([\da-f]{4})\}?|\\x([\da-f]{2})/gi, (_, long, short) => {
      const letter = String.fromCharCode(parseInt(long ?? short, 16));
      return letter.isWellFormed() ? letter : " ";
    });
}

function shifted(text: string, by: number): string {
  return Array.from(text, (letter) => String.fromCodePoint(letter.codePointAt(0)! - by)).join("");
}

const LEET: Record<string, string> = {
  "0": "o",
  "1": "i",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "8": "b",
  "9": "g",
  "@": "a",
  "$": "s",
  "€": "e",
  "!": "i",
  "|": "l",
  "+": "t",
  "(": "c",
};

/** Readings of a word in which digits and signs may stand for letters: "1gn0r3" is "ignore" or "lgnore". */
export function leetReadings(word: string): string[] {
  if (!/\p{L}/u.test(word) || !/[\d@$€!|+(]/.test(word)) return [];
  const read = (one: string) =>
    word.replace(/[\d@$€!|+(]/g, (sign) => sign === "1" ? one : LEET[sign] ?? sign);
  return word.includes("1") ? [read("i"), read("l")] : [read("i")];
}
