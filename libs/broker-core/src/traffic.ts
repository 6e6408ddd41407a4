import type { OutboundMessage } from '#libs/mqtt-engine';
import { TopicCounts } from './topic-counts.ts';

/** Messages taken from and sent to clients since the start. */
export class Traffic {
  received = 0;
  sent = 0;
  /** Those of topics that somebody wants counted. */
  readonly topics = new TopicCounts();

  /** A message went to a client. */
  count({ topic, payload }: OutboundMessage, qos: 0 | 1 | 2): void {
    this.sent += 1;
    if (this.topics.size > 0) this.topics.sent(topic, qos, payload.length);
  }

  /** A message was not delivered; undefined where it is not at hand. */
  drop(message: OutboundMessage | undefined): void {
    if (this.topics.size > 0 && message !== undefined) this.topics.dropped(message.topic);
  }
}

/** What each new delivery counts in the mean. */
const WEIGHT = 0.2;

/** How long messages took to a subscriber of late: a moving mean, without a timer or a list. */
export class DeliveryDelay {
  #meanMs = 0;
  #connectedAtMs = -1;

  /** The mean of the connection that is, or was the last one. */
  get meanMs(): number {
    return this.#meanMs;
  }

  /** A message was sent. What had waited for the client while it was away was not slow: it counts from its connection on. */
  add(receivedAtMs: number, nowMs: number, connectedAtMs = 0): void {
    const isFirst = connectedAtMs !== this.#connectedAtMs;
    const delayMs = Math.max(0, nowMs - Math.max(receivedAtMs, connectedAtMs));
    this.#connectedAtMs = connectedAtMs;
    this.#meanMs = isFirst ? delayMs : this.#meanMs + WEIGHT * (delayMs - this.#meanMs);
  }
}
