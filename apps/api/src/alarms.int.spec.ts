import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { WireAlarm } from '#libs/api-contracts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import type { ApiProcess } from './api-process.ts';

let api: ApiProcess;
let node: FakeNode;

const alarmOf = (id: string, sinceMs: number, more: Partial<WireAlarm> = {}): WireAlarm => ({
  ...{ id, name: 'SkeinBridgeDown', subject: 'main', severity: 'critical', summary: 'refused' },
  ...{ sinceMs, acknowledgements: [], ...more },
});

beforeAll(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY });
  node = new FakeNode('n1', config, ['n1']);
  node.insight.alarms = [
    alarmOf('a', 1_000),
    alarmOf('b', 2_000, { name: 'SkeinBrokerOverloaded', subject: '', severity: 'warning' }),
    alarmOf('c', 3_000),
    alarmOf('gone', 500, { clearedAtMs: 900 }),
  ];
  await node.server.open();
  api = await open(config);
});

afterAll(async () => {
  await api.stop();
  await node.server.close();
});

const idsOf = ({ body }: { readonly body: unknown }) =>
  (body as { items: { id: string }[] }).items.map(({ id }) => id);
const of = (id: string, rest = '') => ({ path: `/api/v1/alarms/${id}${rest}` });

it('lists what holds, the latest first, and what has held', async () => {
  const first = await operate(api, 'listAlarms', { path: '?limit=2' });
  expect(idsOf(first)).toEqual(['c', 'b']);
  const { next_cursor: cursor } = (first.body as { page: { next_cursor: string } }).page;
  const next = await operate(api, 'listAlarms', { path: `?limit=2&cursor=${cursor}` });
  expect(idsOf(next)).toEqual(['a']);
  expect(idsOf(await operate(api, 'listAlarms', { path: '?state=history' }))).toEqual(['gone']);
  const bad = await operate(api, 'listAlarms', { path: '?severity=warning&node=n1' });
  expect(bad.body).toMatchObject({
    items: [
      {
        ...{ id: 'b', name: 'SkeinBrokerOverloaded', node: 'n1', subject: null, state: 'active' },
        ...{ since: '1970-01-01T00:00:02.000Z', cleared_at: null, acknowledged: false },
      },
    ],
  });
  const since = 'since[gte]=1970-01-01T00:00:02Z';
  expect(idsOf(await operate(api, 'listAlarms', { path: `?${since}` }))).toEqual(['c', 'b']);
});

it.each(['?state=all', '?severity=bad', '?since=1970-01-01T00:00:02Z'])(
  'refuses alarms%s',
  async (path) => {
    expect((await operate(api, 'listAlarms', { path })).status).toBe(400);
  },
);

it('notes who has seen an alarm', async () => {
  const path = of('a', '/acknowledgements');
  const made = await operate(api, 'acknowledgeAlarm', { ...path, json: { comment: 'on it' } });
  expect([made.status, made.body]).toMatchObject([201, { comment: 'on it' }]);
  expect((await operate(api, 'getAlarm', of('a'))).body).toMatchObject({
    acknowledged: true,
    acknowledgements: [{ comment: 'on it', time: '1970-01-01T00:00:05.000Z' }],
  });
  const none = await operate(api, 'acknowledgeAlarm', {
    ...of('none', '/acknowledgements'),
    json: {},
  });
  expect(none.status).toBe(404);
});

it('forgets what has gone, and nothing that holds', async () => {
  const holds = await operate(api, 'deleteAlarm', of('c'));
  expect([holds.status, holds.body]).toMatchObject([409, { code: 'conflict' }]);
  expect((await operate(api, 'deleteAlarm', of('gone'))).status).toBe(204);
  expect((await operate(api, 'deleteAlarm', of('gone'))).status).toBe(404);
  expect((await operate(api, 'getAlarm', of('gone'))).status).toBe(404);
});

it('does not say that an alarm is absent while a node is silent', async () => {
  node.mute = new Set(['alarms']);
  expect((await operate(api, 'getAlarm', of('a'))).status).toBe(503);
  node.mute = new Set();
});
