/** An event of a stream. */
export interface ReceivedEvent {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: unknown;
}

/** Reads Server-Sent Events as a browser would. */
export class EventReader {
  readonly events: ReceivedEvent[] = [];
  readonly headers: Headers;
  isEnded = false;
  error: unknown;
  readonly #abort: AbortController;

  private constructor(response: Response, abort: AbortController) {
    this.headers = response.headers;
    this.#abort = abort;
    this.#read(response).catch((error: unknown) => {
      this.error = error;
      this.isEnded = true;
    });
  }

  /** Opens a stream. @throws Error when it is refused. */
  static async open(
    url: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<EventReader> {
    const abort = new AbortController();
    const all = { accept: 'text/event-stream', ...headers };
    const response = await fetch(url, { headers: all, signal: abort.signal });
    if (response.status !== 200) {
      throw new Error(`${String(response.status)} ${await response.text()}`);
    }
    return new EventReader(response, abort);
  }

  /** Leaves. */
  close(): void {
    this.#abort.abort();
  }

  async #read({ body }: Response): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) this.#take(block);
    }
    this.isEnded = true;
  }

  #take(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => {
        const at = line.indexOf(': ');
        return [line.slice(0, at), line.slice(at + 2)] as const;
      }),
    );
    const event = fields.get('event');
    if (event === undefined) return;
    this.events.push({
      event,
      id: fields.get('id'),
      data: JSON.parse(fields.get('data') ?? 'null'),
    });
  }
}
