import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const LEASE_MS = 2_000;
const WAIT_MS = 40_000;
/** A time of every minute, and the lease of a node that has died with it. */
const MINUTE_MS = 110_000;

const scope = new Scope();
afterEach(() => scope.close());

interface Scheduled {
  readonly id: string;
  readonly count: number;
  readonly due_at: string;
  readonly state: string;
}

const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toISOString();

it(
  'scheduled messages come once at their times, from whichever nodes live, and no more when they are deleted',
  async () => {
    const { nodes, redis } = await startCluster(scope, { REDIS_LEASE_MS: LEASE_MS });
    const [first, second, third] = nodes;
    const api = await Api.start(scope, redis);
    const schedule = async (body: object) =>
      (await api.call('createScheduledMessage', { body })).body as Scheduled;
    const receiver = await Client.connect(scope, second.url, { clientId: 'receiver' });
    await receiver.subscribe('times/#', 2);

    const everyMinute = await schedule({ topic: 'times/cron', payload: 'tick', cron: '* * * * *' });
    await schedule({ topic: 'times/once', payload: 'one', qos: 1, due_at: inSeconds(4) });
    const gone = await schedule({
      topic: 'times/gone',
      payload: 'no',
      qos: 1,
      due_at: inSeconds(6),
    });
    const path = { scheduled_message_id: gone.id };
    expect((await api.call('deleteScheduledMessage', { path })).status).toBe(204);
    await schedule({ topic: 'times/late', payload: 'late', qos: 1, due_at: inSeconds(13) });
    // Whoever has given them to the delayed ones dies; the others go on.
    await first.kill();
    await third.kill();
    await third.start();

    const ofCron = { path: { scheduled_message_id: everyMinute.id } };
    let shown: Scheduled | undefined;
    await until(async () => {
      shown = (await api.call('getScheduledMessage', ofCron)).body as Scheduled;
      return shown.count > 0 && Date.parse(shown.due_at) > Date.now() + 12_000;
    }, MINUTE_MS);
    await receiver.receivesAll(['one', 'late', 'tick'], MINUTE_MS);
    const count = shown?.count ?? 0;
    expect(receiver.payloads.filter((payload) => payload === 'tick')).toHaveLength(count);
    expect(receiver.payloads.filter((payload) => payload === 'one')).toHaveLength(1);
    expect(receiver.payloads.filter((payload) => payload === 'late')).toHaveLength(1);
    expect(receiver.payloads).not.toContain('no');
  },
  2 * MINUTE_MS,
);

it('a message whose time came while the only node was down comes once when it is back', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'skein-schedules-'));
  scope.add(() => rm(dir, { recursive: true, force: true }));
  const node = await Broker.start(scope, { DATA_DIR: dir });
  const api = await Api.start(scope, node.settings);
  const session = {
    clientId: 'receiver',
    clean: false,
    properties: { sessionExpiryInterval: 600 },
  };
  const before = await Client.connect(scope, node.url, session);
  await before.subscribe('times/#', 1);
  await before.leave();
  const body = { topic: 'times/missed', payload: 'late', qos: 1, due_at: inSeconds(12) };
  const { due_at: dueAt, id } = (await api.call('createScheduledMessage', { body }))
    .body as Scheduled;
  await node.kill();
  await until(() => Date.now() > Date.parse(dueAt), WAIT_MS);
  await node.start();
  const receiver = await Client.connect(scope, node.url, session);
  await receiver.receives(1, WAIT_MS);
  await until(async () => {
    const shown = await api.call('getScheduledMessage', { path: { scheduled_message_id: id } });
    return (shown.body as Scheduled).state === 'done';
  }, WAIT_MS);
  expect(receiver.payloads).toEqual(['late']);
});
