import type { InjectedMessage, Message } from '#libs/broker-ports';
import { matches } from '#libs/topic-index';
import { SysValues, type SysSnapshot, type SysValue } from './sys-values.ts';

/** What the `$SYS` topics of a node are made from. */
export interface SysTopicsOptions {
  /** How often they are published; 0 while they are switched off. It may change. */
  readonly intervalMs: number;
  readonly snapshot: (nowMs: number) => SysSnapshot;
  readonly identify: (message: InjectedMessage) => Message;
  /** Serves the clients of this node. */
  readonly publish: (message: Message) => void;
}

/**
 * What a node says of itself under `$SYS`, to its own clients.
 *
 * @remarks The values are kept here and nowhere else: no store, no bridge and no other node sees them. They count as
 * retained for those who subscribe. What has not changed is not published again.
 */
export class SysTopics {
  readonly #options: SysTopicsOptions;
  readonly #values = new SysValues();
  readonly #latest = new Map<string, { readonly text: string; readonly message: Message }>();
  #publishedAtMs: number | undefined;

  constructor(options: SysTopicsOptions) {
    this.#options = options;
  }

  /** Publishes when it is time to; call it about once a second. */
  sweep(nowMs: number): void {
    const { intervalMs, snapshot } = this.#options;
    if (intervalMs === 0) return this.#forget();
    // A clock that was set back makes no pause.
    const sinceMs = Math.max(0, nowMs - (this.#publishedAtMs ?? nowMs));
    const isWaiting = this.#publishedAtMs !== undefined && nowMs >= this.#publishedAtMs;
    if (isWaiting && sinceMs < intervalMs) return;
    this.#publishedAtMs = nowMs;
    for (const value of this.#values.of(snapshot(nowMs), sinceMs / 1000)) this.#publish(value);
  }

  /** The values under a filter, as retained messages. */
  match(filter: string): readonly Message[] {
    const messages = [...this.#latest.values()].map(({ message }) => message);
    return messages.filter(({ topic }) => matches(filter, topic));
  }

  #forget(): void {
    this.#latest.clear();
    this.#publishedAtMs = undefined;
  }

  #publish([topic, text]: SysValue): void {
    if (this.#latest.get(topic)?.text === text) return;
    const payload = Buffer.from(text, 'utf8');
    const message = this.#options.identify({ topic, payload, qos: 0, retain: true });
    this.#latest.set(topic, { text, message });
    this.#options.publish(message);
  }
}

/** Whether a message is to be published under `$SYS`, now or later. */
export function isSysPublish(topic: string): boolean {
  return /^(?:\$delayed\/\d+\/)?\$SYS\//u.test(topic);
}

/** Whether a filter is for `$SYS` topics; no filter is for both them and others [MQTT-4.7.2-1]. */
export function isSysFilter(filter: string): boolean {
  return filter.startsWith('$SYS/');
}
