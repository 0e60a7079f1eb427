/** The files that the documents' examples send, by name. */
export type Files = Record<string, Uint8Array<ArrayBuffer>>;

/**
 * Reads one `curl` command as a shell would and makes the request it sends. Knows the options that the documents use
 * and throws on any other, so that no example says more than is tested.
 */
export function curlRequest(command: string, variables: Record<string, string>, files: Files): Request {
  const [program, ...words] = shellWords(command, variables);
  if (program !== "curl") throw new Error(`Cannot run ${program}: only curl is known`);
  const headers = new Headers();
  const form = new FormData();
  let method: string | undefined, data: string | undefined, url: string | undefined;
  while (words.length > 0) {
    const word = words.shift() ?? "";
    const value = () => words.shift() ?? "";
    if (word === "-s" || word === "-N" || word === "-sN") continue;
    else if (word === "-X") method = value();
    else if (word === "-d") data = value();
    else if (word === "-H") {
      const [name = "", ...rest] = value().split(":");
      headers.append(name, rest.join(":").trim());
    } else if (word === "-F") {
      const [name = "", ...rest] = value().split("=");
      const content = rest.join("=");
      if (content.startsWith("@")) form.append(name, fileOf(content.slice(1), files));
      else form.append(name, content);
    } else if (word.startsWith("-")) throw new Error(`Cannot run curl ${word}: the option is not known here`);
    else url = word;
  }
  const body = data ?? ([...form.keys()].length > 0 ? form : undefined);
  if (!url) throw new Error(`Cannot run a command without an address: ${command}`);
  return new Request(url, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers,
    body: body ?? null,
  });
}

/** Splits a command into words: quotes, line continuations, and `$NAME` outside single quotes. */
export function shellWords(command: string, variables: Record<string, string>): string[] {
  const words: string[] = [];
  let word: string | undefined;
  const tokens = /\\\n|\s+|'([^']*)'|"((?:\\.|[^"\\])*)"|\$(\w+)|([^\s'"$\\]+)/gy;
  const value = (name: string) => {
    const known = variables[name];
    if (known === undefined) throw new Error(`Cannot run ${command}: $${name} is not set`);
    return known;
  };
  let end = 0;
  for (const match of command.matchAll(tokens)) {
    end = match.index + match[0].length;
    const [text, single, double, name, bare] = match;
    if (/^(\\\n|\s)/.test(text)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= "";
    if (single !== undefined) word += single;
    else if (name !== undefined) word += value(name);
    else if (bare !== undefined) word += bare;
    else word += (double ?? "").replaceAll(/\\(["\\$])|\$(\w+)/g, (_, kept, used) => kept ?? value(used));
  }
  if (end !== command.length) throw new Error(`Cannot read the command at ${command.slice(end)}`);
  if (word !== undefined) words.push(word);
  return words;
}

function fileOf(name: string, files: Files): File {
  const bytes = files[name];
  if (!bytes) throw new Error(`Cannot send ${name}: the examples have no such file`);
  return new File([bytes], name);
}
