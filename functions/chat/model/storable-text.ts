/** Drops what PostgreSQL cannot store: NUL, and halves of surrogate pairs; a pair cut in two pieces is joined. */
export class StorableText {
  #half = "";

  /** Takes a piece and returns what of the text can be passed on. */
  take(piece: string): string {
    let text = this.#half + piece;
    this.#half = "";
    if (/[\uD800-\uDBFF]$/.test(text)) {
      this.#half = text.slice(-1);
      text = text.slice(0, -1);
    }
    return storable(text);
  }
}

/** The same for a text that is whole. */
export function storable(text: string): string {
  return text.replaceAll("\0", "").toWellFormed();
}
