import { afterEach, describe, expect, it } from '@jest/globals';
import { seededRandom, until } from '#libs/testkit';
import { attack } from './harness/attack.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { HostileStreams } from './harness/hostile-streams.ts';
import { report } from './harness/report.ts';
import { Scope } from './harness/scope.ts';

const STREAMS = 10_000;
/** After so many the node has compiled its code and sized its heap. */
const WARM_UP_STREAMS = 2_000;
const GROWTH_BYTES_MAX = 30 * 1024 * 1024;
/** With a small heap garbage is collected soon, so that what grows is what is kept: some 30 MiB are in use at rest. */
const NODE_ARGS = ['--max-old-space-size=80', '--max-semi-space-size=4'];
const STEADY_BYTES = 1024 * 1024;
const SETTLE_DEADLINE_MS = 20_000;
/** So that every stream is read. */
const ANY_CONNECT_RATE = {
  LISTENERS_TCP_CONNECTS_PER_SECOND: 0,
  LISTENERS_TCP_CONNECTS_PER_SECOND_PER_ADDRESS: 0,
};

const scope = new Scope();
afterEach(() => scope.close());

/** Publishes and receives all the while; each message is sent when the one before it has come back. */
class Canary {
  sung = 0;
  #isSinging = true;
  readonly #client: Client;
  readonly song: Promise<void>;

  constructor(client: Client) {
    this.#client = client;
    this.song = this.#sing();
  }

  async end(): Promise<void> {
    this.#isSinging = false;
    await this.song;
  }

  async #sing(): Promise<void> {
    while (this.#isSinging) {
      await this.#client.publish('canary/song', String(this.sung));
      this.sung += 1;
      await this.#client.receives(this.sung);
    }
  }
}

describe('a node under malformed and random byte streams', () => {
  it('stays up, serves others all along, and its memory stays flat', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    report(`hostile streams: seed ${String(seed)}`);
    const streams = new HostileStreams(seededRandom(seed));
    const node = await Broker.start(scope, ANY_CONNECT_RATE, { nodeArgs: NODE_ARGS });
    const client = await Client.connect(scope, node.url);
    await client.subscribe('canary/#');
    const canary = new Canary(client);

    await attack(node.port, streams, WARM_UP_STREAMS);
    const before = await settledMemory(node);
    await attack(node.port, streams, STREAMS - WARM_UP_STREAMS);
    const after = await settledMemory(node);
    await canary.end();

    const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
    report(
      `hostile streams: ${String(STREAMS)} sent, memory ${mebibytes(before)} MiB after ${String(WARM_UP_STREAMS)}, ` +
        `${mebibytes(after)} MiB at the end, canary sang ${String(canary.sung)} times`,
    );
    expect(node.child.isRunning).toBe(true);
    expect(node.child.stderr).toBe('');
    expect(client.closes).toBe(0);
    expect(client.payloads).toEqual(Array.from({ length: canary.sung }, (_, n) => String(n)));
    expect(canary.sung).toBeGreaterThan(20);
    expect(after - before).toBeLessThan(GROWTH_BYTES_MAX);
    await node.stop();
  }, 180_000);
});

/** The resident memory of a node when it has come to rest. */
async function settledMemory(node: Broker): Promise<number> {
  let last = Infinity;
  await until(async () => {
    const now = await node.ops.metric('process_resident_memory_bytes');
    const isSteady = Math.abs(last - now) < STEADY_BYTES;
    last = now;
    return isSteady;
  }, SETTLE_DEADLINE_MS);
  return last;
}
