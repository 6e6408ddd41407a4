import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { retainedMessages, until } from '#libs/testkit';
import { openLocalStores } from './local-stores.ts';

const DEADLINE_MS = 20_000;
const TEST_DEADLINE_MS = 3 * DEADLINE_MS;
/** Less than the writer needs, so that the disk seems full to it. */
const FILE_BYTES_MAX = 400_000;

/**
 * A process that writes without end: append, settle and retained message, ten at a time. It prints `ok N` when number N is
 * acknowledged and `failed CODE` when it is not.
 */
const WRITER = `
import { openLocalStores } from '#libs/store-local';

const stores = await openLocalStores({ dir: process.argv[1], clock: Date.now });
const node = { nodeId: 'a', incarnation: 1 };
const base = { qos: 1, publisher: 'p', source: node, receivedAtMs: 1, expiresAtMs: 0, origin: 'client' };
const payload = new Uint8Array(1000);
const taken = await stores.sessions.take({
  clientId: 'c', node, nowMs: 1, cleanStart: false, durable: true, expiryIntervalSeconds: 3600, connected: true,
});
const { epoch } = taken.record;
const by = { clientId: 'c', epoch };

async function write(sequence) {
  const message = { ...base, topic: 't/' + sequence, payload, retain: true, sequence };
  const position = { epoch, sequence };
  const queued = { position, message, qos: 1, retain: false, subscriptionIdentifiers: [] };
  const settled = { epoch, sequence: sequence - 10 };
  try {
    await Promise.all([
      stores.sessions.write([
        { ...by, kind: 'append', queued, once: false },
        { ...by, kind: 'settle', positions: sequence % 2 === 0 ? [settled] : [] },
      ]),
      stores.retained.store([message]),
    ]);
    console.log('ok ' + sequence);
  } catch (error) {
    console.log('failed ' + error.code);
  }
}

for (let sequence = 1; ; sequence += 10) {
  await Promise.all(Array.from({ length: 10 }, (_, index) => write(sequence + index)));
}
`;

describe('the data file of an embedded node', () => {
  let dir: string;
  let writer: ChildProcess | undefined;
  const acknowledged: number[] = [];
  const failures: string[] = [];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skein-crash-'));
    acknowledged.length = 0;
    failures.length = 0;
  });

  afterEach(async () => {
    await kill();
    await rm(dir, { recursive: true });
  });

  /** Starts the writer, by a command that sets limits if one is given. */
  function start(...limits: readonly string[]): ChildProcess {
    const node = [process.execPath, '--conditions=source', '--input-type=module'];
    const [command, ...args] = [...limits, ...node, '--eval', WRITER, dir];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [word, value = ''] = line.split(' ');
      if (word === 'ok') acknowledged.push(Number(value));
      else failures.push(value);
    });
    writer = child;
    return child;
  }

  async function kill(): Promise<void> {
    const child = writer;
    writer = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  }

  /** What the file does not hold as it was acknowledged: of queue, settled messages and retained ones. */
  async function lostOf(): Promise<Readonly<Record<string, readonly number[]>>> {
    const stores = await openLocalStores({ dir, clock: Date.now });
    try {
      const queue = await stores.sessions.read('c', undefined, Infinity);
      const queued = new Set(queue.map(({ position }) => position.sequence));
      const retained = await retainedMessages(stores.retained, 't/+');
      const kept = new Set(retained.map(({ topic }) => topic));
      // An even one settles the one ten before it.
      const isEven = (sequence: number) => sequence % 2 === 0;
      return {
        queued: acknowledged.filter((sequence) => !isEven(sequence) && !queued.has(sequence)),
        settled: acknowledged.filter((sequence) => isEven(sequence) && queued.has(sequence - 10)),
        retained: acknowledged.filter((sequence) => !kept.has(`t/${String(sequence)}`)),
      };
    } finally {
      await stores.close();
    }
  }

  it.each([100, 1000, 3000])(
    'holds all that was acknowledged when the process is killed (after %d)',
    async (count) => {
      start();
      await until(() => acknowledged.length > count, DEADLINE_MS);
      await kill();
      expect(await lostOf()).toEqual({ queued: [], settled: [], retained: [] });
    },
    TEST_DEADLINE_MS,
  );

  it('is refused to a second process', async () => {
    const child = start();
    await until(() => acknowledged.length > 0, DEADLINE_MS);
    await expect(openLocalStores({ dir, clock: Date.now })).rejects.toThrow(
      `is in use by process ${String(child.pid)}`,
    );
  });

  it(
    'refuses writes while the disk is full, then goes on and has lost nothing',
    async () => {
      const child = start('prlimit', `--fsize=${String(FILE_BYTES_MAX)}:unlimited`);
      await until(() => failures.length > 10, DEADLINE_MS);
      expect(new Set(failures)).toEqual(new Set(['STORE_UNAVAILABLE']));
      await promisify(execFile)('prlimit', [`--pid=${String(child.pid)}`, '--fsize=unlimited']);
      const before = acknowledged.length;
      await until(() => acknowledged.length > before + 300, DEADLINE_MS);
      await kill();
      expect(await lostOf()).toEqual({ queued: [], settled: [], retained: [] });
    },
    TEST_DEADLINE_MS,
  );
});
