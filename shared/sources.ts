/** A passage as a prompt shows it. */
export interface Source {
  title: string;
  heading: string | null;
  content: string;
}

/**
 * The passages of a prompt as data: source `n`, counted from 1, is `<source id="n" title="…" heading="…">…</source>`.
 * What could open or close a tag is escaped, so that no passage ends its own block.
 */
export function renderSources(sources: readonly Source[]): string {
  return sources.map(({ title, heading, content }, index) => {
    const place = heading === null ? "" : ` heading="${escapeAttribute(heading)}"`;
    return `<source id="${index + 1}" title="${escapeAttribute(title)}"${place}>\n${
      escapeTags(content)
    }\n</source>`;
  }).join("\n");
}

/** The passages that `renderSources` wrote into a text, each with its number. */
export function parseSources(text: string): (Source & { id: number })[] {
  const blocks = text.matchAll(
    /^<source id="(\d+)" title="([^"]*)"(?: heading="([^"]*)")?>\n([^<]*)\n<\/source>$/gm,
  );
  return Array.from(blocks, ([, id, title, heading, content]) => ({
    id: Number(id),
    title: unescape(title!),
    heading: heading === undefined ? null : unescape(heading),
    content: unescape(content!),
  }));
}

/** A question as it stands alone, for a prompt, as data. */
export function renderQuestion(question: string): string {
  return `<question>${escapeTags(question.replace(/\s+/g, " "))}</question>`;
}

/** The question that `renderQuestion` wrote into a text, or null. */
export function parseQuestion(text: string): string | null {
  const [, question] = /^<question>([^<]*)<\/question>$/m.exec(text) ?? [];
  return question === undefined ? null : unescape(question);
}

/** A text as it can stand in a prompt: nothing in it opens or closes a tag. */
export function escapeTags(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function escapeAttribute(text: string): string {
  return escapeTags(text).replaceAll('"', "&quot;").replaceAll("\n", "&#10;").replaceAll("\r", "&#13;");
}

const entities: Record<string, string> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#10;": "\n",
  "&#13;": "\r",
};

function unescape(text: string): string {
  return text.replace(/&(?:amp|lt|gt|quot|#10|#13);/g, (entity) => entities[entity]!);
}
