import type { Log, Spool } from '#libs/broker-ports';
import { RedisLink, RedisRoute, type RedisTarget } from '#libs/redis-client';
import { GroupedSpool } from '#libs/spool';
import { spoolKeys } from './keys.ts';
import { RedisBlocks, SCRIPTS } from './redis-blocks.ts';

/** The label of its log lines. */
const ROLE = 'spool';

/** Where the spool of a node is in Redis, and how large it may grow. */
export interface RedisSpoolOptions extends RedisTarget {
  /** Stands before every key; holds no brace. */
  readonly keyPrefix: string;
  /** Whose spool it is: a node that comes back under its id finds it. */
  readonly nodeId: string;
  /** Names this process; no other one ever has the same name. */
  readonly self: string;
  /** How many bytes wait at most. */
  readonly bytesMax: number;
  /** How long a call may wait for its reply; then it fails and the connection is made anew. */
  readonly commandTimeoutMs: number;
  /** How many replicas must have a group before it is durable. @defaultValue 0 */
  readonly waitReplicas?: number;
  /** For how long they are waited for; less than `commandTimeoutMs`. @defaultValue half of it */
  readonly waitTimeoutMs?: number;
  readonly log: Log;
}

/**
 * Opens the spool of a node in Redis, for nodes without a disk.
 *
 * @remarks A record is as durable as Redis makes it: appendfsync, and `waitReplicas`. While Redis is away appends fail. A process
 * that had the spool before writes no more.
 *
 * @throws SpoolError when Redis is away or refuses.
 */
export async function openRedisSpool(options: RedisSpoolOptions): Promise<Spool> {
  const blocks = await openBlocks(options, options.nodeId);
  try {
    await blocks.take();
    return await openOver(blocks, options);
  } catch (error) {
    await blocks.close();
    throw error;
  }
}

/** The blocks of a spool, whoever has it. @internal */
export async function openBlocks(options: RedisSpoolOptions, nodeId: string): Promise<RedisBlocks> {
  const keys = spoolKeys(options.keyPrefix, nodeId);
  const link = await openLink(options, keys.owner);
  return new RedisBlocks(link, keys, options.self);
}

/** A spool over its blocks, which this process has. @internal */
export function openOver(store: RedisBlocks, { bytesMax }: RedisSpoolOptions): Promise<Spool> {
  return GroupedSpool.open({ store, bytesMax, defer: setImmediate });
}

/** A connection to the server that has a key; it may be down. @internal */
export async function openLink(options: RedisSpoolOptions, key: string): Promise<RedisLink> {
  const { commandTimeoutMs, waitReplicas = 0, log } = options;
  const route = new RedisRoute(options);
  let wasUp = false;
  const link = new RedisLink({
    place: route.to(key),
    commandTimeoutMs,
    wait: { replicas: waitReplicas, timeoutMs: options.waitTimeoutMs ?? commandTimeoutMs / 2 },
    scripts: SCRIPTS,
    changed: (isUp, error) => {
      if (isUp === wasUp) return;
      wasUp = isUp;
      if (isUp) log.info('redis-connected', { role: ROLE, url: route.label });
      else log.warn('redis-unavailable', { role: ROLE, url: route.label, error });
    },
  });
  await link.tried();
  return link;
}
