import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from './client.ts';

/** The pace of steady traffic. */
const PAUSE_MS = 2;

/** Publishes numbered QoS 1 messages one after the other until it is stopped, and keeps what was acknowledged. */
export class Publisher {
  readonly acknowledged: string[] = [];
  readonly #client: Client;
  readonly #topics: readonly string[];
  readonly #traffic: Promise<void>;
  #isRunning = true;

  constructor(client: Client, topics: readonly string[]) {
    this.#client = client;
    this.#topics = topics;
    this.#traffic = this.#publish();
    // Who stops it is told of a failure.
    this.#traffic.catch(() => undefined);
  }

  /** Ends the traffic. @throws Error when a message was refused. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#traffic;
  }

  async #publish(): Promise<void> {
    while (this.#isRunning) {
      const payload = String(this.acknowledged.length);
      await Promise.all(this.#topics.map((topic) => this.#client.publish(topic, payload)));
      this.acknowledged.push(payload);
      await delay(PAUSE_MS);
    }
  }
}
