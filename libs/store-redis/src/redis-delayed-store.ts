import {
  decodeMessage,
  encodeMessage,
  type DelayedBounds,
  type DelayedClaim,
  type DelayedMessage,
  type DelayedOutcome,
  type DelayedStore,
  type DueMessage,
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

/** As the script counts them. */
const OUTCOMES: readonly DelayedOutcome[] = ['full', 'stored', 'repeat'];

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
    { messagesMax, bytesMax }: DelayedBounds,
  ): Promise<readonly DelayedOutcome[]> {
    if (messages.length === 0) return [];
    const { due, values, state, once } = this.#keys;
    const args = [due, values, state, once, messagesMax, bytesMax];
    const replies = await this.#redis.pipeline(
      'delayed',
      callsOf(messages).map((call) => [due, (to) => to.evalsha(ADD.sha, 4, ...args, ...call)]),
    );
    return replies.flatMap((reply) => {
      const [count, bytes, ...outcomes] = reply as readonly [...Counts, ...number[]];
      this.#count([count, bytes]);
      return outcomes.map((outcome) => OUTCOMES[outcome] ?? 'full');
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

  #count([messages, bytes]: Counts): void {
    this.#size = { messages, bytes };
  }
}

/** The arguments of each call, in the order of the messages. */
function callsOf(messages: readonly DelayedMessage[]): (number | string | Buffer)[][] {
  const calls: (number | string | Buffer)[][] = [];
  let call: (number | string | Buffer)[] = [];
  let bytes = 0;
  for (const { delayMs, message } of messages) {
    const value = asBuffer(encodeMessage(message));
    if (call.length >= 3 * CALL_MESSAGES_MAX || bytes >= CALL_BYTES_MAX) {
      calls.push(call);
      call = [];
      bytes = 0;
    }
    call.push(delayMs, value, message.qos === 2 ? encodeIdentity(message) : '');
    bytes += value.length;
  }
  calls.push(call);
  return calls;
}
