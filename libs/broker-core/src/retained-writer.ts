import {
  PublishError,
  type Log,
  type Message,
  type Meter,
  type PublishDone,
  type RetainedStore,
} from '#libs/broker-ports';
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
    const tooLarge = message.payload.length > limits.retainedPayloadBytesMax;
    const tooMany = this.#store.size().messages >= limits.retainedMessagesMax;
    if (!isRemoval && (tooLarge || tooMany)) {
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
        for (const tell of waiting) tell();
      },
      (error: unknown) => {
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
}
