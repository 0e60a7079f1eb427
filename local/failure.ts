/** A reason not to start that the person at the terminal can act on: one line on stderr, exit code 1. */
export class StartFailure extends Error {
  override name = "StartFailure";
}

/** The first line of an error's message, for a `StartFailure` that says what failed. */
export function reason(error: unknown): string {
  const text = error instanceof AggregateError
    ? error.errors.map((each) => reason(each)).join("; ")
    : error instanceof Error
    ? error.message || error.name
    : String(error);
  return text.split("\n")[0]!.replace(/^[A-Z]\w*Error: /, "");
}
