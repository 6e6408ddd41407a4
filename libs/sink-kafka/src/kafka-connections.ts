import type { Admin, Kafka, Producer } from 'kafkajs';
import { waitAtMost } from '#libs/bridge';
import { clientFailure } from './kafkajs-client.ts';

const CLOSE_MS = 2_000;

/** The connections of one rule: an administrative one, made when it is first needed, and those of its producers. */
export class KafkaConnections {
  readonly #kafka: Kafka;
  #admin: Promise<Admin> | undefined;
  /** Those that are connected; one that is not yet hangs up by itself when all are closed. */
  readonly #connected = new Set<Producer | Admin>();
  #closed = false;

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  /**
   * Asks through the administrative connection; any failure of the connection replaces it.
   *
   * @throws SinkError
   */
  async ask<Answer>(question: (admin: Admin) => Promise<Answer>): Promise<Answer> {
    const admin = (this.#admin ??= this.connect(
      this.#kafka.admin(),
      () => (this.#admin = undefined),
    ));
    try {
      return await question(await admin);
    } catch (failure) {
      const { error } = clientFailure(failure);
      if (error.code === 'UNAVAILABLE' && this.#admin === admin) {
        this.#admin = undefined;
        void this.retire(admin);
      }
      throw error;
    }
  }

  /** Connects a client; one that fails to is forgotten by its owner. */
  async connect<Client extends Producer | Admin>(
    client: Client,
    forget: () => void,
  ): Promise<Client> {
    try {
      await client.connect();
    } catch (error) {
      forget();
      void this.#hangUp(client);
      throw error;
    }
    this.#connected.add(client);
    if (this.#closed) void this.#hangUp(client);
    return client;
  }

  /** Disconnects a client that is not used any more, whatever became of it. */
  async retire(client: Promise<Producer | Admin> | undefined): Promise<void> {
    // One that did not connect has hung up by itself.
    const connected = await client?.catch(() => undefined);
    if (connected !== undefined) await this.#hangUp(connected);
  }

  /** Disconnects all, bounded in time. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    const left = [...this.#connected].map((client) => this.#hangUp(client));
    await waitAtMost(CLOSE_MS, Promise.all(left));
  }

  async #hangUp(client: Producer | Admin): Promise<void> {
    this.#connected.delete(client);
    // Nothing is left to do for a connection that was lost.
    await client.disconnect().catch(() => undefined);
  }
}
