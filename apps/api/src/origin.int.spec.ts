import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { KEY, call, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { bearer } from '../../../test/api/callers.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const DEADLINE_MS = 10_000;
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

let api: ApiProcess;
let node: FakeNode;

beforeEach(async () => {
  const config = await configOf({ SKEIN_API_KEY: KEY });
  node = new FakeNode('n1', config, ['n1']);
  await node.server.open();
  api = await open(config);
  await until(async () => (await call(api, '/api/v1/status')).status === 200, DEADLINE_MS);
});

afterEach(async () => {
  await api.stop();
  await node.server.close();
});

const originsOf = (wanted: string) => node.origins.filter(({ command }) => command === wanted);

it('nodes are told which request a command comes from, with and without a body, each its own', async () => {
  const headers = (id: string) => ({ ...bearer(KEY), 'x-request-id': id, traceparent });
  await Promise.all([
    operate(api, 'listScheduledMessages', { headers: headers('without-body') }),
    operate(api, 'publishMessage', { json: { topic: 't' }, headers: headers('with-body') }),
    operate(api, 'listDelayedMessages', { headers: { ...headers('forged'), traceparent: '00-x' } }),
  ]);
  expect(originsOf('schedules')).toEqual([
    { command: 'schedules', requestId: 'without-body', traceparent },
  ]);
  expect(originsOf('publish')).toEqual([
    { command: 'publish', requestId: 'with-body', traceparent },
  ]);
  expect(originsOf('delayed')).toEqual([{ command: 'delayed', requestId: 'forged' }]);
});
