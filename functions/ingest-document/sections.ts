/** A heading of a text: its line is `text[start..end]`. */
export interface Heading {
  start: number;
  end: number;
  /** 1 is the highest. */
  level: number;
  title: string;
}

/** A text with its headings in order. */
export interface TextSource {
  text: string;
  headings: Heading[];
  /** The headings that are open where the text begins, when it is the continuation of another one. */
  above?: Pick<Heading, "level" | "title">[];
}

/** The part of a text below one heading. */
export interface Section {
  start: number;
  end: number;
  heading: string | null;
}

const LONGEST_TITLE = 120, LONGEST_PATH = 400;

/** The sections of a text. A heading without a text of its own opens the section below it. */
export function sectionsOf({ text, headings, above = [] }: TextSource): Section[] {
  const sections: Section[] = [];
  let path = [...above], start = 0;
  const close = (end: number) => {
    if (text.slice(start, end).trim() !== "") sections.push({ start, end, heading: pathOf(path) });
    start = end;
  };
  for (const [index, heading] of headings.entries()) {
    const previous = headings[index - 1];
    const hasText = text.slice(previous?.end ?? 0, heading.start).trim() !== "";
    if (hasText) close(heading.start);
    path = below(path, heading);
  }
  close(text.length);
  return sections;
}

/** The open headings below which a new one stands, and itself. */
export function below(
  path: Pick<Heading, "level" | "title">[],
  { level, title }: Pick<Heading, "level" | "title">,
): Pick<Heading, "level" | "title">[] {
  return [...path.filter((heading) => heading.level < level), { level, title }];
}

function pathOf(path: Pick<Heading, "title">[]): string | null {
  const titles = path.map(({ title }) => shortened(title)).filter((title) => title !== "");
  // The nearest headings say the most.
  while (titles.length > 1 && titles.join(" > ").length > LONGEST_PATH) titles.shift();
  return titles.length > 0 ? titles.join(" > ") : null;
}

function shortened(title: string): string {
  const plain = title.replace(/\s+/g, " ").trim();
  if (plain.length <= LONGEST_TITLE) return plain;
  const cut = plain.slice(0, LONGEST_TITLE).replace(/\s\S*$/, "");
  // A title without spaces may be cut within a surrogate pair, which PostgreSQL would not take.
  return `${cut.replace(/[\uD800-\uDBFF]$/, "")}…`;
}
