import {
  SinkError,
  testInSteps,
  waitAtMost,
  type Endpoint,
  type Sink,
  type SinkRecord,
} from '#libs/bridge';
import type { BridgeTest, BridgeTestStep, RabbitmqConnector } from '#libs/broker-ports';
import { Publication } from './publication.ts';
import { sinkErrorOf } from './rabbitmq-error.ts';
import type { RabbitmqLink } from './rabbitmq-link.ts';

const CLOSE_MS = 3_000;

const found = (lanes: number): string => `exists; ${lanes} lanes lead to it`;

/** Where a sink leads to, with its secrets as they are now. */
export interface RabbitmqPlace {
  readonly open: () => Promise<RabbitmqLink>;
  readonly endpoint: () => Endpoint;
}

/**
 * The sink on amqplib: a target is an exchange, and each of its lanes has a channel with publisher confirms.
 *
 * @remarks Messages are persistent and mandatory. A batch is published at once, in order, and is stored when each of its
 * messages is confirmed; one that no queue takes is refused, and holds up no other. Records that were confirmed before the
 * connection was lost are not published again with the repeat of their batch; those behind the first that was not are, so
 * that order holds.
 */
export class RabbitmqSink implements Sink {
  readonly #connector: RabbitmqConnector;
  readonly #place: RabbitmqPlace;
  readonly #stored = new WeakSet<SinkRecord>();
  #link: Promise<RabbitmqLink> | undefined;
  #closed = false;

  constructor(connector: RabbitmqConnector, place: RabbitmqPlace) {
    this.#connector = connector;
    this.#place = place;
  }

  async ping(): Promise<void> {
    await this.#ask((link) => link.ping());
  }

  async lanes(exchange: string): Promise<number> {
    // The default exchange has no name to ask for.
    if (exchange !== '') await this.#ask((link) => link.checkExchange(exchange));
    return this.#connector.concurrency;
  }

  async send(
    exchange: string,
    lane: number,
    records: readonly SinkRecord[],
  ): Promise<readonly number[]> {
    const left = records.filter((record) => !this.#stored.has(record));
    const refused = await this.#ask(async (link) => {
      const channel = await link.channel(`${lane}/${exchange}`);
      const publication = new Publication(channel, left);
      try {
        return await publication.publish(exchange);
      } catch (error) {
        for (const record of publication.confirmed) this.#stored.add(record);
        throw error;
      }
    });
    if (refused !== undefined) throw refused;
    return [lane];
  }

  renew(): void {
    // Every message has an identity of its own.
  }

  test({ target, withinMs }: BridgeTest): AsyncIterable<BridgeTestStep> {
    return testInSteps({
      withinMs,
      endpoints: () => [this.#place.endpoint()],
      auth: async () => {
        await this.ping();
        return 'logged in';
      },
      target: target === undefined ? undefined : async () => found(await this.lanes(target)),
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const closed = this.#link?.then(
      (link) => link.close(),
      () => undefined,
    );
    if (closed !== undefined) await waitAtMost(CLOSE_MS, closed);
  }

  /** Asks over the connection, which is made when there is none, and ended when it gives no answer. @throws SinkError */
  async #ask<Answer>(question: (link: RabbitmqLink) => Promise<Answer>): Promise<Answer> {
    try {
      const link = await this.#linked();
      const timer = setTimeout(() => link.cut(), this.#connector.timeoutMs);
      try {
        return await question(link);
      } finally {
        clearTimeout(timer);
      }
    } catch (error) {
      throw sinkErrorOf(error);
    }
  }

  async #linked(): Promise<RabbitmqLink> {
    if (this.#closed) throw new SinkError('UNAVAILABLE', 'the sink is closed');
    const opening = (this.#link ??= this.#place.open());
    const forget = (): void => {
      if (this.#link === opening) this.#link = undefined;
    };
    try {
      const link = await opening;
      if (link.open) return link;
    } catch (error) {
      forget();
      throw error;
    }
    forget();
    return this.#linked();
  }
}
