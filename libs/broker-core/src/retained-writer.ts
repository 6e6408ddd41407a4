import {
  PublishError,
  type Log,
  type Message,
  type Meter,
  type PublishDone,
  type RetainedStore,
} from '#libs/broker-ports';
import { sizeOf } from '#libs/mqtt-codec';
import type { CoreLimits } from './limits.ts';
import type { Flushable, Turn } from './turn.ts';

interface Room {
  readonly messages: number;
  readonly bytes: number;
}

/** Collects a turn's retained messages into one call of the store, within the bounds on their size and number. */
export class RetainedWriter implements Flushable {
  readonly #store: RetainedStore;
  readonly #parts: {
    readonly turn: Turn;
    readonly limits: CoreLimits;
    readonly meter: Meter;
    readonly log: Log;
  };
  /** Topics whose message is on its way to the store, and its bytes. */
  readonly #coming = new Map<string, number>();
  #comingBytes = 0;
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
    const bytes = sizeOf(message);
    const tooLarge = bytes > limits.retainedMessageBytesMax;
    if (!isRemoval && (tooLarge || !this.#hasRoom(message.topic, bytes))) {
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

  /** A message that takes the place of another and is no larger is always taken. What is taken counts from here on. */
  #hasRoom(topic: string, bytes: number): boolean {
    const before = this.#coming.get(topic) ?? this.#store.bytesOf(topic);
    const needed = { messages: before === undefined ? 1 : 0, bytes: bytes - (before ?? 0) };
    if (!fits(needed, this.#leastRoom()) && !fits(needed, this.#room())) return false;
    this.#comingBytes += bytes - (this.#coming.get(topic) ?? 0);
    this.#coming.set(topic, bytes);
    return true;
  }

  /** The room if no message that is on its way takes the place of another. */
  #leastRoom(): Room {
    const { retainedMessagesMax, retainedBytesMax } = this.#parts.limits;
    const { messages, bytes } = this.#store.size();
    return {
      messages: retainedMessagesMax - messages - this.#coming.size,
      bytes: retainedBytesMax - bytes - this.#comingBytes,
    };
  }

  /** The room to the byte. A store may count what it has not confirmed yet. */
  #room(): Room {
    let { messages, bytes } = this.#leastRoom();
    for (const topic of this.#coming.keys()) {
      const replaced = this.#store.bytesOf(topic);
      if (replaced === undefined) continue;
      messages += 1;
      bytes += replaced;
    }
    return { messages, bytes };
  }

  #arrived(messages: readonly Message[]): void {
    for (const { topic } of messages) {
      this.#comingBytes -= this.#coming.get(topic) ?? 0;
      this.#coming.delete(topic);
    }
  }
}

function fits(needed: Room, room: Room): boolean {
  const isMany = needed.messages > 0 && needed.messages > room.messages;
  return !isMany && !(needed.bytes > 0 && needed.bytes > room.bytes);
}
