/** A command of a document, and the answer that the document shows for it. */
export interface Example {
  /** The nearest heading above it. */
  heading: string;
  command: string;
  status: number;
  /** The answer's text as shown; empty where none is. */
  answer: string;
  kind: "json" | "events" | "none";
}

/** The `sh` blocks of a Markdown text that call curl. The status stands behind the language of the answer's block. */
export function examplesOf(markdown: string): Example[] {
  const examples: Example[] = [];
  const parts = markdown.matchAll(/^#+ (.+)$|^```(\w*) ?(\d*)\n([\s\S]*?)^```$/gm);
  let heading = "";
  for (const [, title, language, status = "", text = ""] of parts) {
    if (title) heading = title;
    else if (language === "sh" && text.startsWith("curl ")) {
      examples.push({
        heading,
        command: text.trim(),
        status: Number(status || 200),
        answer: "",
        kind: "none",
      });
    } else if (status !== "") {
      const example = examples.at(-1);
      if (!example || example.kind !== "none") throw new Error(`Cannot place the answer under ${heading}`);
      Object.assign(example, {
        status: Number(status),
        answer: text,
        kind: language === "json" ? "json" : "events",
      });
    }
  }
  return examples;
}

/**
 * Where an answer differs from the one shown: other members, other types, another of a fixed set of words. Ids, texts,
 * numbers and times may differ, as may the length of a list.
 */
export function differences(shown: unknown, actual: unknown, path = "answer"): string[] {
  if (Array.isArray(shown) && Array.isArray(actual)) {
    if (shown.length === 0) return [];
    return actual.length === 0 ? [`${path} is empty`] : differences(shown[0], actual[0], `${path}[0]`);
  }
  if (isRecord(shown) && isRecord(actual)) {
    const names = new Set([...Object.keys(shown), ...Object.keys(actual)]);
    return [...names].flatMap((name) => {
      if (!(name in actual)) return [`${path}.${name} is missing`];
      if (!(name in shown)) return [`${path}.${name} is not documented`];
      return differences(shown[name], actual[name], `${path}.${name}`);
    });
  }
  const fixed = typeof shown === "boolean" || shown === null ||
    (typeof shown === "string" && /^[a-z][a-z_]*$|^urn:/.test(shown));
  const same = fixed ? shown === actual : typeof shown === typeof actual && actual !== null;
  return same ? [] : [`${path} is ${JSON.stringify(actual)}, shown as ${JSON.stringify(shown)}`];
}

/**
 * The first event of each name in a stream, in the order in which the names appear. An event without a name has the one
 * in its `type`; of those without that, too, the first and the last count.
 */
export function eventsOf(text: string): Map<string, unknown> {
  const events = new Map<string, unknown>();
  for (const [, event, json = ""] of text.matchAll(/^(?:id: \d+\nevent: (\w+)\n)?data: (\{.*)$/gm)) {
    const data = JSON.parse(json);
    const name = event ?? data.type ?? (events.has("the first") ? "the last" : "the first");
    if (name === "the last" || !events.has(name)) events.set(name, data);
  }
  return events;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
