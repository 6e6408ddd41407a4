import { randomUUID } from 'node:crypto';
import type {
  KeptReply,
  ReplyBegin,
  ReplyClaim,
  ReplyRequest,
  ReplyStore,
} from '#libs/broker-ports';
import { apiKeyOf } from '../keys.ts';
import { readScript } from '../lua-script.ts';
import type { RedisConnection } from '../redis-connection.ts';
import { OPERATION } from './operation.ts';

const BEGIN = readScript('begin-reply');
const SETTLE = readScript('settle-reply');

type BeginReply =
  readonly ['replay', reply: string] | readonly ['fresh' | 'mismatch' | 'in-progress'];

/** Replies to requests with a key, in Redis: each ends by itself. */
export class RedisReplyStore implements ReplyStore {
  readonly #redis: RedisConnection;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
    redis.use(BEGIN);
    redis.use(SETTLE);
  }

  async begin({ key, bodyHash, leaseMs }: ReplyRequest): Promise<ReplyBegin> {
    const place = apiKeyOf(this.#redis.keyPrefix, 'reply', key);
    const claim = randomUUID();
    const reply = (await this.#redis.run(OPERATION, place, (client) =>
      client.evalsha(BEGIN.sha, 1, place, bodyHash, claim, leaseMs),
    )) as BeginReply;
    if (reply[0] === 'replay') {
      // Only finish() writes there.
      return { kind: 'replay', reply: JSON.parse(reply[1]) as KeptReply };
    }
    return reply[0] === 'fresh' ? { kind: 'fresh', claim } : { kind: reply[0] };
  }

  extend(claim: ReplyClaim, leaseMs: number): Promise<boolean> {
    return this.#settle(claim, ['extend', leaseMs]);
  }

  finish(claim: ReplyClaim, reply: KeptReply, ttlMs: number): Promise<boolean> {
    return this.#settle(claim, ['finish', ttlMs, JSON.stringify(reply)]);
  }

  async abandon(claim: ReplyClaim): Promise<void> {
    await this.#settle(claim, ['abandon', 0]);
  }

  async #settle({ key, claim }: ReplyClaim, args: readonly (string | number)[]): Promise<boolean> {
    const place = apiKeyOf(this.#redis.keyPrefix, 'reply', key);
    const done = await this.#redis.run(OPERATION, place, (client) =>
      client.evalsha(SETTLE.sha, 1, place, claim, ...args),
    );
    return done === 1;
  }
}
