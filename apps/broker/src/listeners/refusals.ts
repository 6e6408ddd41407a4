import type { Log, Meter, SocketRejection } from '#libs/broker-ports';

/** How long nothing must have been refused for one reason until the next refusal is news. */
const QUIET_MS = 10_000;

interface Episode {
  count: number;
  readonly end: NodeJS.Timeout;
}

/** The connections that a listener refuses: every one counts, and the log tells when it begins and when it is over. */
export class Refusals {
  readonly #listener: string;
  readonly #meter: Meter;
  readonly #log: Log;
  readonly #episodes = new Map<SocketRejection, Episode>();

  constructor(listener: string, { meter, log }: { readonly meter: Meter; readonly log: Log }) {
    this.#listener = listener;
    this.#meter = meter;
    this.#log = log;
  }

  /** A connection was refused. @param address - of the first one; others may follow from elsewhere. */
  add(reason: SocketRejection, address: string): void {
    this.#meter.socketRejected(this.#listener, reason);
    const episode = this.#episodes.get(reason);
    if (episode !== undefined) {
      episode.count += 1;
      episode.end.refresh();
      return;
    }
    const end = setTimeout(() => this.#end(reason), QUIET_MS).unref();
    this.#episodes.set(reason, { count: 1, end });
    this.#log.warn('connections-refused', { listener: this.#listener, reason, address });
  }

  /** Tells no more. */
  close(): void {
    for (const { end } of this.#episodes.values()) clearTimeout(end);
    this.#episodes.clear();
  }

  #end(reason: SocketRejection): void {
    const { count = 0 } = this.#episodes.get(reason) ?? {};
    this.#episodes.delete(reason);
    this.#log.info('connections-refused-no-more', { listener: this.#listener, reason, count });
  }
}
