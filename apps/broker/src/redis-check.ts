import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '#libs/broker-ports';
import { ConfigError } from '#libs/config';
import type { RedisFinding } from '#libs/redis-client';

const RETRY_MS = 500;

/** What a check of Redis needs. */
export interface RedisCheck {
  /** Looks once; rejects while Redis is away. */
  readonly inspect: () => Promise<readonly RedisFinding[]>;
  readonly log: Log;
  /** Whether to give up. */
  readonly isStopping: () => boolean;
}

/**
 * Looks at Redis before a node relies on it, as soon as it is there.
 *
 * @remarks Warnings are logged. That Redis is away is told by the connections that wait for it.
 * @throws ConfigError naming every fault.
 */
export async function checkRedis({ inspect, log, isStopping }: RedisCheck): Promise<void> {
  for (;;) {
    try {
      return judge(await inspect(), log);
    } catch (error) {
      if (error instanceof ConfigError) throw error;
    }
    if (isStopping()) return;
    await delay(RETRY_MS);
  }
}

function judge(findings: readonly RedisFinding[], log: Log): void {
  for (const { kind, problem, fix } of findings) {
    if (kind === 'warning') log.warn('redis-doubtful', { problem, fix });
  }
  const faults = findings.filter(({ kind }) => kind === 'fault');
  if (faults.length === 0) return;
  throw new ConfigError(faults.map(({ problem, fix }) => ({ field: 'redis', problem, fix })));
}
