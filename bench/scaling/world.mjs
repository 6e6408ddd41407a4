// What the measurements of scaling share: memory, processor time, and a Redis of their own.
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import '../../tools/without-jest.mjs';

/** Less than this in so long is nothing. */
const SETTLED_BYTES = 50_000;
const SETTLE_MS = 1_000;

const { startRedis } = await import('#libs/testkit');

/** Bytes of the heap, garbage not counted, and of buffers beside it. */
export function usedBytes() {
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The same when all that goes away by itself has gone. */
export async function settledBytes() {
  let [before, bytes] = [Infinity, usedBytes()];
  while (before - bytes > SETTLED_BYTES) {
    await delay(SETTLE_MS);
    [before, bytes] = [bytes, usedBytes()];
  }
  return bytes;
}

/** Microseconds of this process's processor time that some work takes. */
export async function cpuUsOf(work) {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return user + system;
}

/** The same of work that is done at once, on this thread. */
export function threadUsOf(work) {
  const start = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(start);
  return user + system;
}

/** With three digits that mean something. */
export const rounded = (figure) => Number(figure.toPrecision(3));

/** The figure below which a share of others lies. */
export function percentile(figures, share) {
  const sorted = figures.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Prints one result for the parent process. */
export function report(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

function field(info, name) {
  return Number(new RegExp(`^${name}:([\\d.]+)`, 'mu').exec(info)?.[1]);
}

/** A Redis on loopback that nobody else uses, and a look at it from outside. */
export class World {
  static async open() {
    const server = await startRedis();
    return new World(server);
  }

  constructor(server) {
    this.server = server;
    this.redis = new Redis(server.url);
  }

  async close() {
    this.redis.disconnect();
    await this.server.stop();
  }

  /** What Redis did during some work: processor time of its main thread, commands and bytes sent. */
  async spentBy(work) {
    await this.redis.config('RESETSTAT');
    const cpuUs = await this.cpuUs();
    const sent = await this.#sentBytes();
    await work();
    const info = await this.redis.info('commandstats');
    const calls = {};
    for (const [, name, count] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gmu)) {
      if (!/^(?:info|config)/u.test(name)) calls[name] = Number(count);
    }
    return {
      cpuUs: (await this.cpuUs()) - cpuUs,
      sentBytes: (await this.#sentBytes()) - sent,
      calls,
    };
  }

  async cpuUs() {
    const info = await this.redis.info('cpu');
    const names = ['used_cpu_user_main_thread', 'used_cpu_sys_main_thread'];
    return names.reduce((sum, name) => sum + field(info, name), 0) * 1e6;
  }

  async usedBytes() {
    return field(await this.redis.info('memory'), 'used_memory_dataset');
  }

  /** Bytes of a key, all elements counted; 0 without it. */
  async bytesOf(key) {
    return (await this.redis.memory('USAGE', key, 'SAMPLES', 0)) ?? 0;
  }

  async #sentBytes() {
    return field(await this.redis.info('stats'), 'total_net_output_bytes');
  }
}
