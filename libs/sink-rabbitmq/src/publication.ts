import type { Message } from 'amqplib';
import { SinkError, type SinkRecord, type SinkRefusal } from '#libs/bridge';
import type { PublishChannel } from './rabbitmq-link.ts';
import { messageOf } from './rabbitmq-message.ts';

/** Records on their way over one channel, which carries no others meanwhile. */
export class Publication {
  readonly #way: PublishChannel;
  readonly #records: readonly SinkRecord[];
  readonly #states: ('sent' | 'confirmed' | 'refused')[] = [];
  readonly #ids: string[] = [];
  readonly #refused = new Map<SinkRecord, SinkRefusal>();
  #open = 0;

  constructor(way: PublishChannel, records: readonly SinkRecord[]) {
    this.#way = way;
    this.#records = records;
  }

  /** Those that are confirmed with all before them: what lies behind a gap must be published again after it. */
  get confirmed(): readonly SinkRecord[] {
    const gap = this.#states.indexOf('sent');
    const settled = gap === -1 ? this.#states.length : gap;
    return this.#records
      .slice(0, settled)
      .filter((_record, index) => this.#states[index] === 'confirmed');
  }

  /**
   * Publishes all records and waits until the fate of each is known.
   *
   * @returns the refusal of some, when the others are stored.
   * @throws what closed the channel, or SinkError when a message was not taken.
   */
  async publish(exchange: string): Promise<SinkError | undefined> {
    const { channel, fault } = this.#way;
    const returned = ({ properties }: Message): void => {
      // A message comes back before it is confirmed, so of equal ones the first that is under way is meant.
      const index = this.#ids.findIndex(
        (id, place) => id === properties.messageId && this.#states[place] === 'sent',
      );
      this.#refuse(index, {
        code: 'UNKNOWN_TARGET',
        message: 'no queue takes the routing key of a message',
      });
    };
    channel.on('return', returned);
    try {
      await new Promise<void>((resolve, reject) => {
        const settle = (error: unknown): void => {
          this.#open -= 1;
          if (error) reject(fault() ?? error);
          else if (this.#open === 0) resolve();
        };
        // Held until all are published.
        this.#open = 1;
        for (const index of this.#records.keys()) this.#send(index, exchange, settle);
        settle(undefined);
      });
    } finally {
      channel.off('return', returned);
    }
    const [first] = this.#refused.values();
    return first && new SinkError(first.code, first.message, { refused: this.#refused });
  }

  #send(index: number, exchange: string, settle: (error: unknown) => void): void {
    const record = this.#records[index];
    if (record === undefined) return;
    const message = messageOf(record, index);
    if (typeof message === 'string') {
      this.#refuse(index, { code: 'REJECTED', message });
      return;
    }
    const { route, options } = message;
    this.#states[index] = 'sent';
    this.#ids[index] = options.messageId;
    this.#open += 1;
    this.#way.channel.publish(exchange, route, record.value, options, (error: unknown) => {
      if (!error && this.#states[index] === 'sent') this.#states[index] = 'confirmed';
      settle(error);
    });
  }

  #refuse(index: number, refusal: SinkRefusal): void {
    const record = this.#records[index];
    if (record === undefined) return;
    this.#states[index] = 'refused';
    this.#refused.set(record, refusal);
  }
}
