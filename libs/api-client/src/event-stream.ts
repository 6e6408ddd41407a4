/** An event of a stream of server-sent events. */
export interface ServerEvent {
  /** The id last seen, for `Last-Event-ID`; empty when the server gives none. */
  readonly id: string;
  /** `message` unless the server says otherwise. */
  readonly event: string;
  readonly data: string;
}

/** What a stream says about itself besides its events. */
export interface StreamState {
  /** The id of the latest event, kept over reconnections. */
  lastEventId: string;
  /** How long to wait before a reconnection, as the server asks; undefined when it does not. */
  retryMs: number | undefined;
}

/** The longest line that is taken: a message of 256 MiB in base64 is longer, and no stream carries that. */
const LINE_CHARACTERS_MAX = 64 * 1024 * 1024;

/**
 * Reads server-sent events as the HTML standard has them (section 9.2.6) and notes ids and retry times in the state.
 *
 * @throws RangeError for a line without end.
 */
export async function* readEvents(
  bytes: AsyncIterable<Uint8Array>,
  state: StreamState,
): AsyncGenerator<ServerEvent> {
  let event = '';
  let data: string[] = [];
  for await (const line of readLines(bytes)) {
    if (line === '') {
      if (data.length > 0) {
        yield { id: state.lastEventId, event: event || 'message', data: data.join('\n') };
      }
      event = '';
      data = [];
      continue;
    }
    const { name, value } = fieldOf(line);
    if (name === 'event') event = value;
    else if (name === 'data') data.push(value);
    else if (name === 'id' && !value.includes('\0')) state.lastEventId = value;
    else if (name === 'retry' && /^\d+$/.test(value)) state.retryMs = Number(value);
  }
}

/** A field of a line; a comment has an empty name. */
function fieldOf(line: string): { readonly name: string; readonly value: string } {
  const colon = line.indexOf(':');
  if (colon < 0) return { name: line, value: '' };
  const value = line.slice(colon + 1);
  return { name: line.slice(0, colon), value: value.startsWith(' ') ? value.slice(1) : value };
}

/**
 * Lines of UTF-8, ended by LF, CRLF or CR; what follows the last end is no line.
 *
 * @throws RangeError for a line without end.
 */
export async function* readLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true });
    // A CR at the end may be half of a CRLF.
    const isOpen = rest.endsWith('\r');
    const lines = (isOpen ? rest.slice(0, -1) : rest).split(/\r\n|\n|\r/);
    rest = (lines.pop() ?? '') + (isOpen ? '\r' : '');
    if (rest.length > LINE_CHARACTERS_MAX)
      throw new RangeError('the stream has a line without end');
    yield* lines;
  }
  if (rest.endsWith('\r')) yield rest.slice(0, -1);
}
