import {
  PublishError,
  type Log,
  type Message,
  type Meter,
  type PublishDone,
  type RetainedStore,
} from '#libs/broker-ports';
import { sizeOf } from '#libs/mqtt-engine';
import type { CoreLimits } from './limits.ts';
import type { Flushable, Turn } from './turn.ts';

/** Collects a turn's retained messages into one call of the store, within the bounds on their size and number. */
export class RetainedWriter implements Flushable {
  readonly #store: RetainedStore;
  readonly #parts: {
    readonly turn: Turn;
    readonly limits: CoreLimits;
    readonly meter: Meter;
    readonly log: Log;
  };
  /** Topics without a message in the store whose first one is on its way there. */
  readonly #coming = new Set<string>();
  #messages: Message[] = [];
  #waiting: PublishDone[] = [];
  #settled: Promise<unknown> = Promise.resolve();

  constructor(
    store: RetainedStore,
    parts: {
      readonly turn: Turn;
      readonly limits: CoreLimits;
      readonly meter: Meter;
      readonly log: Log;
    },
  ) {
    this.#store = store;
    this.#parts = parts;
  }

  add(message: Message, done: PublishDone): void {
    const { limits, meter, turn } = this.#parts;
    const isRemoval = message.payload.length === 0;
    const tooLarge = sizeOf(message) > limits.retainedPayloadBytesMax;
    if (!isRemoval && (tooLarge || !this.#hasRoom(message.topic))) {
      meter.publishRejected(tooLarge ? 'too_large' : 'quota');
      return done(new PublishError('QUOTA_EXCEEDED', 'no room for a retained message'));
    }
    meter.retainedOperation(isRemoval ? 'delete' : 'set');
    this.#messages.push(message);
    this.#waiting.push(done);
    turn.touch();
  }

  flush(): void {
    if (this.#messages.length === 0) return;
    const messages = this.#messages;
    const waiting = this.#waiting;
    this.#messages = [];
    this.#waiting = [];
    this.#settled = this.#store.store(messages).then(
      () => {
        this.#arrived(messages);
        for (const tell of waiting) tell();
      },
      (error: unknown) => {
        this.#arrived(messages);
        this.#parts.log.warn('retained-write-failed', {
          messages: messages.length,
          reason: String(error),
        });
        const failure = new PublishError('STORE_UNAVAILABLE', 'retained message not stored');
        for (const tell of waiting) tell(failure);
      },
    );
  }

  async idle(): Promise<void> {
    this.flush();
    await this.#settled;
  }

  /** Replacing is always allowed; a new topic counts from here on. */
  #hasRoom(topic: string): boolean {
    const { retainedMessagesMax } = this.#parts.limits;
    if (this.#store.has(topic) || this.#coming.has(topic)) return true;
    let count = this.#store.size().messages + this.#coming.size;
    if (count >= retainedMessagesMax) {
      // A store may count what it has not confirmed yet.
      for (const each of this.#coming) if (this.#store.has(each)) count -= 1;
    }
    if (count >= retainedMessagesMax) return false;
    this.#coming.add(topic);
    return true;
  }

  #arrived(messages: readonly Message[]): void {
    for (const { topic } of messages) this.#coming.delete(topic);
  }
}
