import {
  decodeMessage,
  encodeMessage,
  type DelayedBounds,
  type DelayedClaim,
  type DelayedMessage,
  type DelayedOutcome,
  type DelayedPage,
  type DelayedPlace,
  type DelayedQuery,
  type DelayedStore,
  type DueMessage,
  type WaitingMessage,
} from '#libs/broker-ports';
import { asBuffer } from './bytes.ts';
import { delayedKeys } from './keys.ts';
import { readScript } from './lua-script.ts';
import type { RedisConnection, RedisStep } from './redis-connection.ts';
import { encodeIdentity } from './session-view.ts';

const ADD = readScript('add-delayed');
const CLAIM = readScript('claim-delayed');
const SETTLE = readScript('settle-delayed');

/** How much one call may hold, about: Redis serves nobody else while it runs. */
const CALL_MESSAGES_MAX = 500;
const CALL_BYTES_MAX = 1024 * 1024;

/** A page ends when its messages take so much. */
const PAGE_MESSAGES_MAX = 100;
const PAGE_BYTES_MAX = 4 * 1024 * 1024;

/** What the script says of a message: the id under which it is stored, or why it is not. */
type AddReply = string | 0 | 2;

type Counts = readonly [messages: number, bytes: number];

/**
 * Delayed messages in Redis, shared by the nodes of a cluster.
 *
 * @remarks The clock of the Redis server says what is due. All of them are in one slot of a Redis Cluster. A claim is one
 * call however many wait; a message that a node has claimed and not settled is due again when the lease ends. The
 * connection is the caller's and stays open after {@link close}.
 */
export class RedisDelayedStore implements DelayedStore {
  readonly #redis: RedisConnection;
  readonly #keys: ReturnType<typeof delayedKeys>;
  #size = { messages: 0, bytes: 0 };

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    this.#keys = delayedKeys(redis.keyPrefix);
    for (const script of [ADD, CLAIM, SETTLE]) redis.use(script);
  }

  async add(
    messages: readonly DelayedMessage[],
    bounds: DelayedBounds,
  ): Promise<readonly DelayedOutcome[]> {
    const replies = await this.#add(messages, bounds);
    return replies.map((reply): DelayedOutcome => {
      if (typeof reply === 'string') return 'stored';
      return reply === 2 ? 'repeat' : 'full';
    });
  }

  async put(message: DelayedMessage, bounds: DelayedBounds): Promise<DelayedPlace | undefined> {
    const [id] = await this.#add([message], bounds);
    return typeof id === 'string' ? { id, dueAtMs: (await this.#dueAtMs(id)) ?? 0 } : undefined;
  }

  async page({ after, limit }: DelayedQuery): Promise<DelayedPage> {
    const items: WaitingMessage[] = [];
    let place = after;
    let bytes = 0;
    while (items.length < limit && bytes < PAGE_BYTES_MAX) {
      const places = await this.#places(place, Math.min(PAGE_MESSAGES_MAX, limit - items.length));
      place = places.at(-1);
      if (place === undefined) return { items, next: undefined };
      for (const found of await this.#read(places)) {
        items.push(found);
        bytes += found.message.payload.length;
      }
    }
    return { items, next: place };
  }

  async get(id: string): Promise<WaitingMessage | undefined> {
    const dueAtMs = await this.#dueAtMs(id);
    const [found] = dueAtMs === undefined ? [] : await this.#read([{ id, dueAtMs }]);
    return found;
  }

  async remove(id: string): Promise<boolean> {
    const { due, values, state } = this.#keys;
    const reply = await this.#redis.run('delayed', due, (client) =>
      client.evalsha(SETTLE.sha, 3, due, values, state, id),
    );
    const [count, bytes, found] = reply as readonly [...Counts, number];
    this.#count([count, bytes]);
    return found > 0;
  }

  async #add(
    messages: readonly DelayedMessage[],
    { messagesMax, bytesMax }: DelayedBounds,
  ): Promise<readonly AddReply[]> {
    if (messages.length === 0) return [];
    const { due, values, state, once } = this.#keys;
    const args = [due, values, state, once, messagesMax, bytesMax];
    const replies = await this.#redis.pipeline(
      'delayed',
      callsOf(messages).map((call) => [due, (to) => to.evalsha(ADD.sha, 4, ...args, ...call)]),
    );
    return replies.flatMap((reply) => {
      const [count, bytes, ...outcomes] = reply as readonly [...Counts, ...AddReply[]];
      this.#count([count, bytes]);
      return outcomes;
    });
  }

  async claim({ claimer, leaseMs, limit }: DelayedClaim): Promise<readonly DueMessage[]> {
    const { due, values, state, claimer: claimed } = this.#keys;
    const reply = await this.#redis.run('delayed', due, (client) =>
      client.callBuffer(
        ...(['EVALSHA', CLAIM.sha, 4, due, values, state, claimed] as const),
        ...[claimer, leaseMs, Math.min(limit, CALL_MESSAGES_MAX), CALL_BYTES_MAX],
      ),
    );
    const [count, bytes, ...found] = reply as readonly [...Counts, ...Buffer[]];
    this.#count([count, bytes]);
    const given: DueMessage[] = [];
    for (let at = 0; at + 1 < found.length; at += 2) {
      const id = String(found[at]);
      const value = found[at + 1];
      const message = value && decodeMessage(value);
      // Written by a later version of the format: it stays for a node that knows it.
      if (message) given.push({ id, message });
      else this.#redis.log.error('delayed-message-unreadable', { id });
    }
    return given;
  }

  async settle(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const { due, values, state } = this.#keys;
    const steps: RedisStep[] = [];
    for (let from = 0; from < ids.length; from += CALL_MESSAGES_MAX) {
      const call = ids.slice(from, from + CALL_MESSAGES_MAX);
      steps.push([due, (to) => to.evalsha(SETTLE.sha, 3, due, values, state, ...call)]);
    }
    const replies = await this.#redis.pipeline('delayed', steps);
    this.#count(replies.at(-1) as Counts);
  }

  size(): { readonly messages: number; readonly bytes: number } {
    return this.#size;
  }

  async close(): Promise<void> {
    // Nothing is kept here: every call was answered by Redis before its promise was.
  }

  /** An increment by nothing, of what is there: Redis users of nodes need no further command for it. */
  async #dueAtMs(id: string): Promise<number | undefined> {
    const { due } = this.#keys;
    const score = await this.#redis.run('delayed', due, (client) =>
      client.zadd(due, 'XX', 'INCR', 0, id),
    );
    return score === null ? undefined : Number(score);
  }

  /** The next few that wait. Of those that are due at the same moment, the ones up to a place are passed over. */
  async #places(after: DelayedPlace | undefined, limit: number): Promise<readonly DelayedPlace[]> {
    const { due } = this.#keys;
    const from = after === undefined ? '-inf' : String(after.dueAtMs);
    for (let offset = 0; ; offset += CALL_MESSAGES_MAX) {
      const found = await this.#redis.run('delayed', due, (client) =>
        client.zrange(
          ...([due, from, '+inf', 'BYSCORE', 'LIMIT', offset, CALL_MESSAGES_MAX] as const),
          'WITHSCORES',
        ),
      );
      const places: DelayedPlace[] = [];
      for (let at = 0; at + 1 < found.length; at += 2) {
        const place = { id: found[at] ?? '', dueAtMs: Number(found[at + 1]) };
        if (after === undefined || isBehind(place, after)) places.push(place);
      }
      if (places.length > 0 || found.length === 0) return places.slice(0, limit);
    }
  }

  /** Those of the places whose messages are still there and can be read. */
  async #read(places: readonly DelayedPlace[]): Promise<readonly WaitingMessage[]> {
    const { values } = this.#keys;
    const found = await this.#redis.run('delayed', values, (client) =>
      client.hmgetBuffer(values, ...places.map(({ id }) => id)),
    );
    return places.flatMap((place, at) => {
      const value = found[at];
      const message = value ? decodeMessage(value) : undefined;
      return message === undefined ? [] : [{ ...place, message }];
    });
  }

  #count([messages, bytes]: Counts): void {
    this.#size = { messages, bytes };
  }
}

function isBehind(place: DelayedPlace, after: DelayedPlace): boolean {
  if (place.dueAtMs !== after.dueAtMs) return place.dueAtMs > after.dueAtMs;
  return place.id > after.id;
}

/** The arguments of each call, in the order of the messages. */
function callsOf(messages: readonly DelayedMessage[]): (number | string | Buffer)[][] {
  const calls: (number | string | Buffer)[][] = [];
  let call: (number | string | Buffer)[] = [];
  let bytes = 0;
  for (const { delayMs, message, isOnce } of messages) {
    const value = asBuffer(encodeMessage(message));
    if (call.length >= 3 * CALL_MESSAGES_MAX || bytes >= CALL_BYTES_MAX) {
      calls.push(call);
      call = [];
      bytes = 0;
    }
    call.push(delayMs, value, isOnce === true || message.qos === 2 ? encodeIdentity(message) : '');
    bytes += value.length;
  }
  calls.push(call);
  return calls;
}
