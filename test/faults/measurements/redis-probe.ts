import { Redis } from 'ioredis';
import type { Scope } from '../../e2e/harness/scope.ts';

/** Looks into a Redis from outside. */
export class RedisProbe {
  readonly redis: Redis;

  constructor(scope: Scope, url: string) {
    this.redis = new Redis(url);
    scope.add(() => this.redis.disconnect());
  }

  /** CPU time of its main thread in microseconds, and commands that it has carried out. */
  async work(): Promise<{ cpuUs: number; calls: number }> {
    const info = await this.redis.info('everything');
    const seconds =
      figure(info, 'used_cpu_user_main_thread') + figure(info, 'used_cpu_sys_main_thread');
    return { cpuUs: seconds * 1e6, calls: figure(info, 'total_commands_processed') };
  }

  /** Bytes that it has sent to clients. */
  async sentBytes(): Promise<number> {
    return figure(await this.redis.info('stats'), 'total_net_output_bytes');
  }

  /** Calls of each command since the last reset. */
  async calls(): Promise<ReadonlyMap<string, number>> {
    const info = await this.redis.info('commandstats');
    const found = info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gmu);
    return new Map([...found].map(([, name = '', calls]) => [name, Number(calls)]));
  }

  /** All keys. */
  async keys(): Promise<ReadonlySet<string>> {
    const keys = new Set<string>();
    for await (const some of this.redis.scanStream({ count: 10_000 })) {
      for (const key of some as readonly string[]) keys.add(key);
    }
    return keys;
  }
}

function figure(info: string, name: string): number {
  const value = new RegExp(`^${name}:([\\d.]+)`, 'mu').exec(info)?.[1];
  if (value === undefined) throw new Error(`Redis tells no ${name}`);
  return Number(value);
}
