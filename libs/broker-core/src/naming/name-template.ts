/** Who a client is, in the words of a template. A value that does not fit into a name is undefined. */
export interface ClientIdentity {
  readonly clientId: string | undefined;
  readonly username: string | undefined;
  /** The address that the client connects from. */
  readonly host: string | undefined;
}

/** The parts of a template: text, a capture by its number from 0, or what is known of the client. */
type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'capture'; readonly index: number }
  | { readonly kind: 'client'; readonly field: keyof ClientIdentity };

const PLACEHOLDER = /\$\{(?<field>[^}]*)\}|\$(?<capture>[1-9])/gu;
const FIELDS: ReadonlyMap<string, keyof ClientIdentity> = new Map([
  ['clientId', 'clientId'],
  // As EMQX spells it.
  ['clientid', 'clientId'],
  ['username', 'username'],
  ['host', 'host'],
]);

/**
 * A topic or filter with placeholders: `$1` to `$9` for captures, `${clientId}`, `${username}` and `${host}` for the client.
 *
 * @remarks Parsed once. Filling is one pass; its cost does not depend on what the values hold.
 */
export class NameTemplate {
  readonly #parts: readonly Part[];

  /** @throws Error when it holds a placeholder that nobody knows, or a capture that its pattern does not have. */
  constructor(text: string, captures = 0) {
    const parts: Part[] = [];
    let end = 0;
    for (const match of text.matchAll(PLACEHOLDER)) {
      if (match.index > end) parts.push({ kind: 'text', text: text.slice(end, match.index) });
      parts.push(partOf(match, captures));
      end = match.index + match[0].length;
    }
    if (end < text.length) parts.push({ kind: 'text', text: text.slice(end) });
    this.#parts = parts;
  }

  /**
   * The name for a client.
   *
   * @param captures - what the wildcards of a pattern stand for; undefined for a `#` that stands for no level, which also
   * takes the slash before it.
   *
   * @returns undefined when something known of the client does not fit into a name.
   */
  fill(client: ClientIdentity, captures: readonly (string | undefined)[] = []): string | undefined {
    let name = '';
    for (const part of this.#parts) {
      switch (part.kind) {
        case 'text':
          name += part.text;
          break;
        case 'capture': {
          const captured = captures[part.index];
          if (captured !== undefined) name += captured;
          else if (name.endsWith('/')) name = name.slice(0, -1);
          break;
        }
        case 'client': {
          const value = client[part.field];
          if (value === undefined) return undefined;
          name += value;
          break;
        }
      }
    }
    return name;
  }
}

/** What may stand for a client in a name: exactly one level, so that no client reaches into another one's names. */
export function identityOf(
  clientId: string,
  username: string | undefined,
  host: string,
): ClientIdentity {
  return { clientId: levelOf(clientId), username: levelOf(username), host: levelOf(host) };
}

function levelOf(value: string | undefined): string | undefined {
  const isLevel = value !== undefined && value !== '' && !/[/+#\0]|^\$/u.test(value);
  return isLevel ? value : undefined;
}

function partOf(match: RegExpExecArray, captures: number): Part {
  const { field = '', capture } = match.groups ?? {};
  if (capture !== undefined) {
    const index = Number(capture) - 1;
    if (index >= captures) throw new Error(`${match[0]}: the filter has no such wildcard`);
    return { kind: 'capture', index };
  }
  const known = FIELDS.get(field);
  if (known === undefined) throw new Error(`${match[0]}: no such placeholder`);
  return { kind: 'client', field: known };
}
