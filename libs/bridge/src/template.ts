/** A template that cannot be compiled; the message names the placeholder. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  readonly code = 'TEMPLATE_INVALID';
}

/** Reads the value of a placeholder; text and bytes may come. */
export type PlaceholderReader<Source> = (source: Source) => string | Uint8Array;

/** Finds the reader of a placeholder by what stands between the braces; undefined when there is none of that name. */
export type PlaceholderTable<Source> = (name: string) => PlaceholderReader<Source> | undefined;

/**
 * Text with `${placeholders}`, compiled once and rendered for each message.
 *
 * @remarks There is no escape: `${` always begins a placeholder. Bytes become text as UTF-8, except in bytes() of a
 * template that is nothing but one placeholder.
 */
export class Template<Source> {
  readonly #parts: readonly (string | PlaceholderReader<Source>)[];

  /** @throws TemplateError naming the placeholder that is unknown or not closed. */
  constructor(text: string, table: PlaceholderTable<Source>) {
    this.#parts = parse(text, table);
  }

  /** The text of a template without placeholders. */
  get constant(): string | undefined {
    const [only = '', ...others] = this.#parts;
    return typeof only === 'string' && others.length === 0 ? only : undefined;
  }

  /** A topic filter for all that it may give: up to the first level with a placeholder, of which nobody knows how many levels it makes. */
  get filter(): string {
    const pattern = this.#parts.map((part) => (typeof part === 'string' ? part : '\0')).join('');
    const levels = pattern.split('/');
    const open = levels.findIndex((level) => level.includes('\0'));
    return open === -1 ? pattern : [...levels.slice(0, open), '#'].join('/');
  }

  render(source: Source): string {
    let text = '';
    for (const part of this.#parts) {
      text += typeof part === 'string' ? part : asText(part(source));
    }
    return text;
  }

  /** As render(), but the bytes of a single placeholder are passed on as they are; they are the source's. */
  bytes(source: Source): Uint8Array {
    const [only] = this.#parts;
    if (this.#parts.length !== 1 || typeof only !== 'function') {
      return Buffer.from(this.render(source));
    }
    const value = only(source);
    return typeof value === 'string' ? Buffer.from(value) : value;
  }
}

function parse<Source>(
  text: string,
  table: PlaceholderTable<Source>,
): (string | PlaceholderReader<Source>)[] {
  const parts: (string | PlaceholderReader<Source>)[] = [];
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf('${', at);
    if (open === -1) {
      parts.push(text.slice(at));
      break;
    }
    if (open > at) parts.push(text.slice(at, open));
    const close = text.indexOf('}', open);
    if (close === -1) throw new TemplateError(`${text.slice(open)} has no closing brace`);
    const reader = table(text.slice(open + 2, close));
    if (reader === undefined) {
      throw new TemplateError(`${text.slice(open, close + 1)} is not a known placeholder`);
    }
    parts.push(reader);
    at = close + 1;
  }
  return parts;
}

function asText(value: string | Uint8Array): string {
  if (typeof value === 'string') return value;
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
}
