import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import {
  StoreUnavailableError,
  type Meter,
  type NodeInfo,
  type NodeRef,
  type RedisOperation,
  type RouteChange,
} from '#libs/broker-ports';
import { nodeKey, parseNodeKey, type MemberSighting } from '#libs/cluster';
import { ReplicaWait, type ReplicaWaitOptions } from '#libs/redis-client';
import type { ClusterKeys } from './keys.ts';
import { decodeLease, encodeLease } from './lease-format.ts';
import { parseEntries, type StreamEntry } from './stream-entry.ts';

/** Entries the stream of route changes keeps, about: who is further behind reads snapshots. */
const STREAM_ENTRIES = 4_096;
/** Longer than any clock of a host is ever behind. */
const INCARNATION_MEMORY_MS = 30 * 24 * 3_600_000;
/** Longer than any append can be on its way. */
const HEIR_MEMORY_MS = 600_000;
/** What forgetting a node may move at once: Redis serves nobody else meanwhile. */
const MOVED_ENTRIES_MAX = 512;
const FILTERS_PER_COMMAND = 1_000;
/** Of the room that an inbox has, what a node fills before it looks again; others fill it as well. */
const ROOM_SHARE = 1 / 16;
const UNSEEN_APPENDS_MAX = 4_096;

type Argument = string | number | Buffer;

const scripts = {
  incarnate: load('incarnate'),
  join: load('join'),
  renew: load('renew'),
  leave: load('leave'),
  announce: load('announce'),
  append: load('append'),
  claim: load('claim'),
  forget: load('forget'),
};

function load(name: string): string {
  return readFileSync(new URL(`./commands/${name}.lua`, import.meta.url), 'utf8');
}

/** A member with its lease and the number of its last route change. */
export interface ListedMember extends MemberSighting {
  readonly sequence: number;
}

export type JoinResult =
  | { readonly kind: 'joined'; readonly streamId: string }
  | { readonly kind: 'held'; readonly remainingMs: number };

/** `stale`: Redis has lost changes, all filters have to be written anew. */
export type AnnounceResult =
  { readonly kind: 'announced'; readonly members: readonly NodeRef[] } | { readonly kind: 'stale' };

const RENEWALS = ['renewed', 'restored', 'lost', 'wiped'] as const;
const APPENDS = ['stored', 'full', 'absent'] as const;
const CLAIMS = ['claimed', 'taken', 'alive', 'forgotten'] as const;
const FORGETS = ['forgotten', 'unclaimed', 'not-empty'] as const;

/** What one turn of a node has for another one. */
export interface Batch {
  readonly to: NodeRef;
  readonly from: NodeRef;
  readonly frame: Uint8Array;
}

/** What ClusterCommands needs. */
export interface ClusterCommandsOptions {
  readonly redis: Redis;
  readonly keys: ClusterKeys;
  readonly leaseMs: number;
  readonly inboxBatchesMax: number;
  /** What it takes until an append counts. */
  readonly wait: ReplicaWaitOptions;
  readonly meter: Meter;
}

/**
 * The bus's commands in Redis, one method each; results are named unions.
 *
 * @remarks Every method rejects with a StoreUnavailableError when Redis does not answer in time or refuses. Scripts are
 * sent whole (EVAL): Redis finds them by their text, and a restart of Redis cannot change the order of commands, which a
 * second attempt after NOSCRIPT would.
 */
export class ClusterCommands {
  readonly #options: ClusterCommandsOptions;
  readonly #replicas: ReplicaWait;
  /** How many more batches fit the inbox of a node, by its key, for all that is known here. */
  readonly #room = new Map<string, number>();
  /** The number of the last attempt to append: Redis carries them out in this order. */
  #lastSequence = 0;

  constructor(options: ClusterCommandsOptions) {
    this.#options = options;
    this.#replicas = new ReplicaWait(options.redis, options.wait);
  }

  async incarnate(nodeId: string, nowMs: number): Promise<number> {
    const keys = [this.#options.keys.incarnation(nodeId)];
    const args = [nowMs, INCARNATION_MEMORY_MS];
    return Number(await this.#eval('lease', scripts.incarnate, { keys, args }));
  }

  async join(info: NodeInfo, sequence: number): Promise<JoinResult> {
    const { keys, leaseMs } = this.#options;
    const reply = await this.#eval('lease', scripts.join, {
      keys: [keys.lease(info.nodeId), keys.members, keys.stream, keys.incarnation(info.nodeId)],
      args: [
        encodeLease(info),
        leaseMs,
        nodeKey(info),
        sequence,
        STREAM_ENTRIES,
        info.incarnation,
        INCARNATION_MEMORY_MS,
      ],
    });
    const [kind, value] = texts(reply);
    if (kind === 'joined' && value !== undefined) return { kind, streamId: value };
    return { kind: 'held', remainingMs: Number(value) };
  }

  async renew(info: NodeInfo): Promise<(typeof RENEWALS)[number]> {
    const { keys, leaseMs } = this.#options;
    const reply = await this.#eval('lease', scripts.renew, {
      keys: [keys.lease(info.nodeId), keys.members, keys.ended, keys.incarnation(info.nodeId)],
      args: [encodeLease(info), leaseMs, nodeKey(info), info.incarnation, INCARNATION_MEMORY_MS],
    });
    return oneOf(RENEWALS, reply);
  }

  async leave(self: NodeRef): Promise<void> {
    const { keys } = this.#options;
    await this.#eval('lease', scripts.leave, {
      keys: [keys.lease(self.nodeId), keys.ended, keys.stream],
      args: [nodeKey(self), self.incarnation, STREAM_ENTRIES],
    });
  }

  /** Reads all members and their leases. */
  async list(): Promise<ListedMember[]> {
    const { redis, keys } = this.#options;
    const positions = await this.#run('lease', () => redis.hgetall(keys.members));
    const listed: { node: NodeRef; sequence: number }[] = [];
    for (const [key, position] of Object.entries(positions)) {
      const node = parseNodeKey(key);
      if (node !== undefined) listed.push({ node, sequence: Number(position) });
    }
    if (listed.length === 0) return [];
    const names = listed.map(({ node }) => keys.lease(node.nodeId));
    const leases = await this.#run('lease', () => redis.mget(names));
    return listed.map(({ node, sequence }, index) => {
      const lease = decodeLease(node.nodeId, leases[index] ?? null);
      const isOwn = lease?.incarnation === node.incarnation;
      return { node, sequence, lease: isOwn ? lease : undefined };
    });
  }

  /** Whether a node listens on its channel: a killed process does not, long before its lease ends. */
  async isListening(nodeId: string): Promise<boolean> {
    const { redis, keys } = this.#options;
    const channel = keys.channel(nodeId);
    const [, listeners] = await this.#run('lease', () => redis.pubsub('NUMSUB', channel));
    return Number(listeners) > 0;
  }

  /** The number of a node's last route change; undefined when it is no member. */
  async position(node: NodeRef): Promise<number | undefined> {
    const { redis, keys } = this.#options;
    const position = await this.#run('routes', () => redis.hget(keys.members, nodeKey(node)));
    return position === null ? undefined : Number(position);
  }

  /**
   * Reads a node's filters in pieces, so that neither Redis nor the reader is held up by very many. A filter that changes
   * meanwhile may be among them or not, and one may come twice: whoever asked for the position before applies what follows it.
   */
  async *filters(node: NodeRef): AsyncGenerator<readonly string[], void, undefined> {
    const { redis, keys } = this.#options;
    let cursor = '0';
    do {
      const from = cursor;
      const [next, piece] = await this.#run('routes', () =>
        redis.sscan(keys.routes(node), from, 'COUNT', FILTERS_PER_COMMAND),
      );
      yield piece;
      cursor = next;
    } while (cursor !== '0');
  }

  /** Changes the node's filters and tells the others. */
  async announce(
    self: NodeRef,
    sequence: number,
    changes: readonly RouteChange[],
  ): Promise<AnnounceResult> {
    const { keys } = this.#options;
    const added = changes.filter(({ kind }) => kind === 'add').map(({ filter }) => filter);
    const removed = changes.filter(({ kind }) => kind === 'remove').map(({ filter }) => filter);
    const reply = await this.#eval('routes', scripts.announce, {
      keys: [keys.routes(self), keys.members, keys.stream],
      args: [
        nodeKey(self),
        sequence,
        STREAM_ENTRIES,
        JSON.stringify({ added, removed }),
        added.length,
        ...added,
        ...removed,
      ],
    });
    const [kind, ...members] = texts(reply);
    return kind === 'announced' ? { kind, members: nodesOf(members) } : { kind: 'stale' };
  }

  /** Writes the node's filters anew and asks the others to read them. Returns all members. */
  async rewrite(
    self: NodeRef,
    sequence: number,
    filters: readonly string[],
  ): Promise<readonly NodeRef[]> {
    const { keys } = this.#options;
    const replies = await this.#transaction('routes', (transaction) => {
      transaction.del(keys.routes(self));
      for (let start = 0; start < filters.length; start += FILTERS_PER_COMMAND) {
        transaction.sadd(keys.routes(self), filters.slice(start, start + FILTERS_PER_COMMAND));
      }
      const entry = ['kind', 'reset', 'node', nodeKey(self), 'sequence', String(sequence)];
      return transaction
        .hset(keys.members, nodeKey(self), sequence)
        .xadd(keys.stream, 'MAXLEN', '~', STREAM_ENTRIES, '*', ...entry)
        .hkeys(keys.members);
    });
    return nodesOf(texts(replies.at(-1)));
  }

  /**
   * Appends a batch to a node's inbox.
   *
   * @remarks An inbox that exists is its node's: it is removed with the node. So most appends are a plain XADD, and only the
   * first one, one now and then that looks how full the inbox is, and what was for a node that is gone take the script. What
   * found no inbox is appended under another number, for later ones may have overtaken it.
   */
  async append(batch: Batch): Promise<(typeof APPENDS)[number]> {
    const key = nodeKey(batch.to);
    const room = this.#room.get(key) ?? 0;
    if (room > 0) this.#room.set(key, room - 1);
    this.#lastSequence += 1;
    const sequence = this.#lastSequence;
    const appended =
      room > 0 ? this.#appendPlainly(batch, sequence) : this.#appendByScript(batch, sequence);
    const [result] = await Promise.all([appended, this.#replicated()]);
    if (result !== undefined) return result;
    this.#room.delete(key);
    return this.append(batch);
  }

  /** @returns undefined, and nothing is appended, when there is no such inbox. */
  async #appendPlainly(
    { to, from, frame }: Batch,
    sequence: number,
  ): Promise<'stored' | undefined> {
    const { redis, keys } = this.#options;
    const fields = ['from', nodeKey(from), 'sequence', sequence, 'frame', asBuffer(frame)];
    const id = await this.#run('inbox_append', () =>
      redis.xadd(keys.inbox(to), 'NOMKSTREAM', '*', ...fields),
    );
    return id === null ? undefined : 'stored';
  }

  async #appendByScript(
    { to, from, frame }: Batch,
    sequence: number,
  ): Promise<(typeof APPENDS)[number]> {
    const { keys, inboxBatchesMax } = this.#options;
    const reply = await this.#eval('inbox_append', scripts.append, {
      keys: [keys.members, keys.inbox(to), keys.heir(to)],
      args: [
        nodeKey(to),
        nodeKey(from),
        sequence,
        inboxBatchesMax,
        asBuffer(frame),
        keys.inboxes,
        keys.heirs,
      ],
    });
    const [kind, length] = texts(reply);
    if (length !== undefined) {
      const room = (inboxBatchesMax - Number(length)) * ROOM_SHARE;
      this.#room.set(nodeKey(to), Math.min(Math.floor(room), UNSEEN_APPENDS_MAX));
    }
    return oneOf(APPENDS, kind);
  }

  /** Reads entries of an inbox after one; empty for the oldest. */
  async readInbox(node: NodeRef, after: string, count: number): Promise<StreamEntry[]> {
    const { redis, keys } = this.#options;
    const from = after === '' ? '-' : `(${after}`;
    const reply = await this.#run('inbox_read', () =>
      redis.xrangeBuffer(keys.inbox(node), from, '+', 'COUNT', count),
    );
    return parseEntries(reply);
  }

  /** Removes entries that are dealt with. */
  async removeFromInbox(node: NodeRef, ids: readonly string[]): Promise<void> {
    const { redis, keys } = this.#options;
    await this.#run('inbox_read', () => redis.xdel(keys.inbox(node), ...ids));
  }

  async claim(claimer: NodeRef, dead: NodeRef): Promise<(typeof CLAIMS)[number]> {
    const { keys, leaseMs } = this.#options;
    const reply = await this.#eval('lease', scripts.claim, {
      keys: [keys.claim(dead), keys.lease(dead.nodeId), keys.members, keys.ended],
      args: [nodeKey(claimer), leaseMs, nodeKey(dead), dead.incarnation],
    });
    return oneOf(CLAIMS, reply);
  }

  /** Whether an incarnation can never live again. */
  async hasEnded(node: NodeRef): Promise<boolean> {
    const { keys } = this.#options;
    const [isMember, isEnded] = await this.#transaction('lease', (transaction) =>
      transaction.hexists(keys.members, nodeKey(node)).sismember(keys.ended, nodeKey(node)),
    );
    return isMember === 0 || isEnded === 1;
  }

  async forget(claimer: NodeRef, dead: NodeRef): Promise<(typeof FORGETS)[number]> {
    const { keys } = this.#options;
    const reply = await this.#eval('routes', scripts.forget, {
      keys: [
        keys.claim(dead),
        keys.members,
        keys.ended,
        keys.inbox(dead),
        keys.routes(dead),
        keys.stream,
        keys.inbox(claimer),
        keys.heir(dead),
      ],
      args: [nodeKey(claimer), nodeKey(dead), STREAM_ENTRIES, MOVED_ENTRIES_MAX, HEIR_MEMORY_MS],
    });
    return oneOf(FORGETS, reply);
  }

  /** Waits until enough replicas have what was sent before. */
  async #replicated(): Promise<void> {
    const { meter, wait } = this.#options;
    if (wait.replicas === 0) return;
    const isReplicated = await this.#run('inbox_append', () => this.#replicas.reached());
    meter.redisReplicasWaited(isReplicated ? 'reached' : 'missed');
    if (isReplicated) return;
    throw new StoreUnavailableError('Redis, inbox_append: too few replicas have what was written');
  }

  #eval(
    operation: RedisOperation,
    script: string,
    { keys, args }: { readonly keys: readonly string[]; readonly args: readonly Argument[] },
  ): Promise<unknown> {
    const { redis } = this.#options;
    return this.#run(operation, () => redis.eval(script, keys.length, ...keys, ...args));
  }

  /** Carries out several commands as one step; an error of one is an error of all. */
  async #transaction(
    operation: RedisOperation,
    fill: (transaction: ReturnType<Redis['multi']>) => ReturnType<Redis['multi']>,
  ): Promise<unknown[]> {
    const { redis } = this.#options;
    return await this.#run(operation, async () => {
      const results = await fill(redis.multi()).exec();
      return (results ?? []).map(([error, result]) => {
        if (error !== null) throw error;
        return result;
      });
    });
  }

  async #run<Reply>(operation: RedisOperation, send: () => Promise<Reply>): Promise<Reply> {
    const { meter } = this.#options;
    const startedAtMs = performance.now();
    meter.redisCommandBegun();
    const took = (): number => (performance.now() - startedAtMs) / 1_000;
    try {
      const reply = await send();
      meter.redisCommand(operation, 'ok', took());
      return reply;
    } catch (cause) {
      meter.redisCommand(operation, 'error', took());
      throw unavailable(operation, cause);
    }
  }
}

/** What a failed command means to the callers of the bus. */
export function unavailable(operation: RedisOperation, cause: unknown): StoreUnavailableError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StoreUnavailableError(`Redis, ${operation}: ${reason}`, { cause });
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function texts(reply: unknown): string[] {
  return Array.isArray(reply) ? reply.map(String) : [];
}

function nodesOf(keys: readonly string[]): NodeRef[] {
  return keys.map(parseNodeKey).filter((node) => node !== undefined);
}

function oneOf<Name extends string>(names: readonly Name[], reply: unknown): Name {
  const name = names.find((candidate) => candidate === reply);
  if (name === undefined) throw new Error(`a script answered ${String(reply)}`);
  return name;
}
