import { randomUUID } from 'node:crypto';
import { SpoolError, type Log, type Spool } from '#libs/broker-ports';
import { RedisLink, RedisRoute, type RedisTarget } from '#libs/redis-client';
import { GroupedSpool } from '#libs/spool';
import { spoolKeys } from './keys.ts';
import { RedisBlocks, WRITE } from './redis-blocks.ts';

/** The label of its log lines. */
const ROLE = 'spool';

/** Where the spool of a node is in Redis, and how large it may grow. */
export interface RedisSpoolOptions extends RedisTarget {
  /** Stands before every key; holds no brace. */
  readonly keyPrefix: string;
  /** Whose spool it is. A node that comes back under another id does not find it. */
  readonly nodeId: string;
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
 * that opened the spool before writes no more.
 *
 * @throws SpoolError when Redis is away or refuses.
 */
export async function openRedisSpool(options: RedisSpoolOptions): Promise<Spool> {
  const { keyPrefix, nodeId, bytesMax, commandTimeoutMs, waitReplicas = 0, log } = options;
  const route = new RedisRoute(options);
  const keys = spoolKeys(keyPrefix, nodeId);
  let wasUp = false;
  const link = new RedisLink({
    place: route.to(keys.owner),
    commandTimeoutMs,
    wait: { replicas: waitReplicas, timeoutMs: options.waitTimeoutMs ?? commandTimeoutMs / 2 },
    scripts: new Set([WRITE]),
    changed: (isUp, error) => {
      if (isUp === wasUp) return;
      wasUp = isUp;
      if (isUp) log.info('redis-connected', { role: ROLE, url: route.label });
      else log.warn('redis-unavailable', { role: ROLE, url: route.label, error });
    },
  });
  await link.tried();
  const store = new RedisBlocks(link, keys, randomUUID());
  try {
    return await GroupedSpool.open({ store, bytesMax, defer: setImmediate });
  } catch (error) {
    await store.close();
    throw error instanceof SpoolError
      ? error
      : new SpoolError('FAILED', 'the spool in Redis cannot be opened', { cause: error });
  }
}
