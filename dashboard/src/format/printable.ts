/** Text from records, as the page may show it: what controls the direction or the layout of text, or cannot be seen, becomes an escape. The
 *  same rule as `printable_lines` in crates/model. */

const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\uffff\u{13430}-\u{1345f}\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/gu;

/** Joiners are part of emoji and of Persian and Indic words, between two of their characters. */
const JOINER = /[\u200c\u200d]/;

export function printable(text: string): string {
  return text.replace(HIDDEN, (found: string, at: number) => {
    const joins = JOINER.test(found) && isVisible([...text.slice(Math.max(0, at - 2), at)].at(-1)) && isVisible([...text.slice(at + 1, at + 3)][0]);
    if (joins) return found;
    return found === "\r" ? "\\r" : `\\u{${found.codePointAt(0)?.toString(16)}}`;
  });
}

/** Whether there is a character, beyond ASCII, that can be seen. */
function isVisible(one: string | undefined): boolean {
  return one !== undefined && one > "\u007f" && one.search(HIDDEN) < 0;
}

/** An answer of the API with printable texts. A `key` stays as it is, because the page sends it back; where it is shown, it is made printable. */
export function parse<T>(json: string): T {
  return JSON.parse(json, (name, value: unknown) => (typeof value === "string" && name !== "key" ? printable(value) : value)) as T;
}
