import type { Log, QueuedMessage } from '#libs/broker-ports';
import { isShared } from '#libs/topic-index';
import type { SessionEntry } from './session-entry.ts';
import { GroupPublish } from './share-group.ts';

/** What sessions that end leave to the other members of their shared subscriptions. */
export class Orphans {
  readonly #log: Log;
  readonly #host: {
    queued(entry: SessionEntry): Promise<readonly QueuedMessage[]>;
    regroup(orphan: GroupPublish): void;
  };

  /** @param host - reads the stored queue of a session, and gives a message to another member. */
  constructor(
    log: Log,
    host: {
      queued(entry: SessionEntry): Promise<readonly QueuedMessage[]>;
      regroup(orphan: GroupPublish): void;
    },
  ) {
    this.#log = log;
    this.#host = host;
  }

  /**
   * What is queued for a session that ends, and that other members of its shared subscriptions are to get; undefined when it
   * has none. A message of QoS 2 goes to nobody else: it may have been sent [MQTT-4.8.2-5].
   */
  of(entry: SessionEntry): Promise<readonly GroupPublish[]> | undefined {
    if (!entry.durable || entry.queueMessages === 0) return undefined;
    const isMember = entry.hasLostShare || [...entry.subscriptions.keys()].some(isShared);
    if (!isMember) return undefined;
    return this.#host.queued(entry).then(
      (queued) =>
        queued.flatMap(({ message, qos, group }) =>
          group === undefined || qos === 2 ? [] : [new GroupPublish(message, false, group)],
        ),
      (error: unknown) => {
        this.#log.warn('queue-unread', { clientId: entry.clientId, reason: String(error) });
        return [];
      },
    );
  }

  /** Gives them to other members. */
  async regroup(orphans: Promise<readonly GroupPublish[]>): Promise<void> {
    for (const orphan of await orphans) this.#host.regroup(orphan);
  }
}
