import type { DropReason, Message, Meter } from '#libs/broker-ports';
import type { OutboundMessage } from '#libs/mqtt-engine';
import type { TracedSession, Tracing } from './tracing.ts';
import type { Traffic } from './traffic.ts';

/** What the losses of a node are told to. */
export interface LossesOptions {
  readonly meter: Meter;
  readonly traffic: Pick<Traffic, 'drop'>;
  readonly tracing?: Tracing | undefined;
}

/** Counts what is not delivered, and tells those who trace its client. */
export class Losses {
  readonly #options: LossesOptions;

  constructor(options: LossesOptions) {
    this.#options = options;
  }

  /**
   * A message that a session was to have is dropped.
   *
   * @param message - undefined where it is not at hand.
   */
  dropped(session: TracedSession, reason: DropReason, message?: OutboundMessage): void {
    this.#options.traffic.drop(message);
    this.#lost(session, reason, message?.topic ?? '');
  }

  /** A message of a client is not taken. */
  shed(session: TracedSession, topic: string): void {
    this.#lost(session, 'overload', topic);
  }

  /** A message has no receiver: its publisher hears of it. */
  unwanted({ publisher, topic }: Pick<Message, 'publisher' | 'topic'>): void {
    const session = { clientId: publisher, client: undefined, terms: undefined };
    this.#lost(session, 'no_subscribers', topic);
  }

  #lost(session: TracedSession, reason: DropReason, topic: string): void {
    const { meter, tracing } = this.#options;
    meter.deliveryDropped(reason, 1);
    if (tracing?.isOn !== true) return;
    tracing.decidedOf(session, { type: 'message_dropped', reason, topic });
  }
}
