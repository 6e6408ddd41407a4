import {
  PublishError,
  type DelayedMessage,
  type DelayedStore,
  type DueMessage,
  type HubClient,
  type Message,
  type PublishDone,
} from '#libs/broker-ports';
import { UnderWay } from '#libs/cluster';
import { sizeOf } from '#libs/mqtt-codec';
import { isDelayed, parseDelayed, type Delay } from './delayed-topic.ts';
import type { NodeParts } from './parts.ts';
import { mayRepeat } from './repeating.ts';
import type { Flushable, Turn } from './turn.ts';

/** How long a node may take to publish what it has claimed; after it, or the node's death, the message comes again. */
const CLAIM_LEASE_MS = 30_000;
const CLAIM_MESSAGES_MAX = 500;

/** How much may be under way at once. */
const UNSETTLED_MESSAGES_MAX = 10_000;
const UNSETTLED_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Messages published to `$delayed/{seconds}/{topic}`: stored at once, published when they are due.
 *
 * @remarks There is no timer: the sweep asks the store once a second, whichever node has taken a message, so that one
 * whose node has died is published by another. A message is given to one node at a time and is forgotten when all its
 * obligations are met: it comes again if its node dies in between, or if they could not be met, under the identity that it
 * was stored with, so that QoS 2 comes once. A message of QoS 0 is forgotten before it is published.
 */
export class Delayed implements Flushable {
  readonly #parts: NodeParts;
  readonly #turn: Turn;
  readonly #publishDue: (message: Message, done: PublishDone) => void;
  #coming: DelayedMessage[] = [];
  #waiting: PublishDone[] = [];
  #published: string[] = [];
  #unsettled = { messages: 0, bytes: 0 };
  #isClaiming = false;
  /** What the store was told. */
  readonly #told = new UnderWay();

  constructor(
    parts: NodeParts,
    own: {
      readonly turn: Turn;
      /** Publishes a message whose time has come, under its identity. */
      readonly publishDue: (message: Message, done: PublishDone) => void;
    },
  ) {
    this.#parts = parts;
    this.#turn = own.turn;
    this.#publishDue = own.publishDue;
  }

  /** Why a message for this topic cannot be taken; undefined when it can, or asks for no delay. */
  fault(topic: string): string | undefined {
    if (!isDelayed(topic)) return undefined;
    const delay = this.#parse(topic);
    return typeof delay === 'string' ? delay : undefined;
  }

  /**
   * Takes a message whose topic asks for a delay; done when it is stored.
   *
   * @param client - who must be allowed to publish to the topic that the message is for; undefined for the broker itself.
   */
  publish(message: Message, client: HubClient | undefined, done: PublishDone): void {
    const delay = this.#parse(message.topic);
    if (typeof delay === 'string') {
      this.#parts.meter.publishRejected('topic_invalid');
      return done(new PublishError('NOT_AUTHORIZED', delay));
    }
    const { seconds, topic } = delay;
    const delayed = { delayMs: seconds * 1000, message: { ...message, topic } };
    if (client === undefined) return this.#add(delayed, done);
    this.#parts.hub.authorizePublish(delayed.message, client, (error) => {
      if (error === undefined) this.#add(delayed, done);
      else done(error);
    });
  }

  flush(): void {
    this.#flushComing();
    this.#flushPublished();
  }

  /** Publishes what is due, if this node is the one that gets it. */
  sweep(): void {
    const { delayed, bus, log } = this.#parts;
    if (delayed === undefined || this.#isClaiming || !bus.isAlive(bus.self)) return;
    this.#isClaiming = true;
    this.#claim(delayed.store)
      .catch((error: unknown) => {
        // The connection reports that the store is away; the next sweep asks again.
        log.debug('delayed-claim-failed', { reason: String(error) });
      })
      .finally(() => {
        this.#isClaiming = false;
      });
  }

  /** Hands over what is collected and resolves when it has been answered. */
  async idle(): Promise<void> {
    this.flush();
    await this.#told.answered();
  }

  #parse(topic: string): Delay | string {
    const { delayed, limits } = this.#parts;
    if (delayed === undefined) return 'delayed publish is switched off';
    const delay = parseDelayed(topic, limits.topicLevelsMax);
    if (typeof delay === 'string' || delay.seconds <= delayed.secondsMax) return delay;
    return `the delay is longer than ${delayed.secondsMax} s`;
  }

  #add(message: DelayedMessage, done: PublishDone): void {
    this.#coming.push(message);
    this.#waiting.push(done);
    this.#turn.touch();
  }

  #flushComing(): void {
    const { delayed, meter } = this.#parts;
    if (delayed === undefined || this.#coming.length === 0) return;
    const waiting = this.#waiting;
    const adding = delayed.store.add(this.#coming, delayed);
    this.#coming = [];
    this.#waiting = [];
    const added = adding.then(
      (outcomes) => {
        const full = new PublishError('QUOTA_EXCEEDED', 'no room for a delayed message');
        for (const [at, tell] of waiting.entries()) {
          const outcome = outcomes[at] ?? 'full';
          if (outcome !== 'repeat') meter.delayed(outcome === 'full' ? 'refused' : outcome, 1);
          tell(outcome === 'full' ? full : undefined);
        }
      },
      (error: unknown) => {
        this.#warn('delayed-write-failed', error);
        const failure = new PublishError('STORE_UNAVAILABLE', 'delayed message not stored');
        for (const tell of waiting) tell(failure);
      },
    );
    this.#told.add(added);
  }

  async #claim(store: DelayedStore): Promise<void> {
    const { nodeId, incarnation } = this.#parts.bus.self;
    const claimer = `${nodeId}#${incarnation}`;
    while (
      this.#unsettled.messages < UNSETTLED_MESSAGES_MAX &&
      this.#unsettled.bytes < UNSETTLED_BYTES_MAX
    ) {
      const request = { claimer, leaseMs: CLAIM_LEASE_MS, limit: CLAIM_MESSAGES_MAX };
      // One claim after the other is what keeps the order.
      const due = await store.claim(request);
      if (due.length === 0) return;
      const atMostOnce = due.filter(({ message }) => message.qos === 0);
      if (atMostOnce.length > 0) this.#publishForgotten(store, atMostOnce);
      for (const each of due) if (each.message.qos > 0) this.#begin(each);
    }
  }

  /** Publishes messages that nobody may get twice. One of which it is not known whether it is forgotten comes again, or never. */
  #publishForgotten(store: DelayedStore, due: readonly DueMessage[]): void {
    for (const { message } of due) this.#count(message, 1);
    const settled = store.settle(due.map(({ id }) => id)).then(
      () => {
        this.#parts.meter.delayed('published', due.length);
        for (const { message } of due) this.#publishDue(message, () => undefined);
      },
      (error: unknown) => this.#warn('delayed-settle-failed', error),
    );
    const counted = settled.finally(() => {
      for (const { message } of due) this.#count(message, -1);
    });
    this.#told.add(counted);
  }

  #count(message: Message, by: 1 | -1): void {
    this.#unsettled.messages += by;
    this.#unsettled.bytes += by * sizeOf(message);
  }

  #begin({ id, message }: DueMessage): void {
    this.#count(message, 1);
    this.#publishDue(message, (error) => {
      this.#count(message, -1);
      const isAgain = error !== undefined && mayRepeat(message, error);
      this.#parts.meter.delayed(isAgain ? 'retried' : 'published', 1);
      if (isAgain) return;
      this.#published.push(id);
      this.#turn.touch();
    });
  }

  #flushPublished(): void {
    const { delayed } = this.#parts;
    if (delayed === undefined || this.#published.length === 0) return;
    const settled = delayed.store.settle(this.#published).catch((error: unknown) => {
      // It comes again when the lease has ended.
      this.#warn('delayed-settle-failed', error);
    });
    this.#published = [];
    this.#told.add(settled);
  }

  #warn(event: string, error: unknown): void {
    this.#parts.log.warn(event, { reason: String(error) });
  }
}
