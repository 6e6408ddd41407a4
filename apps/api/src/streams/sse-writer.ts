import type { ServerResponse } from 'node:http';

const HEARTBEAT_MS = 15_000;

/** A reader that takes nothing for so long is not there any more. */
const STALLED_MS = 60_000;

/** An event to send. */
export interface SseEvent {
  readonly event: string;
  readonly data: unknown;
  /** What the reader sends back as Last-Event-ID. */
  readonly id?: string;
}

/**
 * Server-Sent Events to one reader, who is waited for: nothing is kept here beyond what one call has written.
 *
 * @remarks A heartbeat shows both sides that the other is there.
 */
export class SseWriter {
  readonly #response: ServerResponse;
  readonly #heartbeat: NodeJS.Timeout | undefined;
  readonly ended: Promise<void>;
  #isOpen = true;

  constructor(response: ServerResponse) {
    this.#response = response;
    if (response.destroyed) {
      // It went away before there was a stream: nothing will tell of it any more.
      this.#isOpen = false;
      this.ended = Promise.resolve();
      return;
    }
    this.ended = new Promise((resolve) => {
      response.once('close', () => {
        this.#isOpen = false;
        clearInterval(this.#heartbeat);
        resolve();
      });
    });
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    response.write('retry: 2000\n\n');
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Writes events and resolves when the reader has taken them, or has gone. */
  async send(events: readonly SseEvent[]): Promise<void> {
    if (events.length === 0 || !this.#isOpen) return;
    if (this.#response.write(events.map(textOf).join(''))) return;
    const response = this.#response;
    const stalled = setTimeout(() => response.destroy(), STALLED_MS);
    await Promise.race([
      new Promise<void>((resolve) => response.once('drain', resolve)),
      this.ended,
    ]);
    clearTimeout(stalled);
  }

  /** Ends the stream; the reader may come back. */
  end(): void {
    if (this.#isOpen) this.#response.end();
  }

  /** Not behind what the reader has not taken: that would pile up. */
  #beat(): void {
    if (this.#response.writableLength === 0) this.#response.write(': heartbeat\n\n');
  }
}

function textOf({ event, data, id }: SseEvent): string {
  const name = id === undefined ? '' : `id: ${id}\n`;
  return `${name}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
