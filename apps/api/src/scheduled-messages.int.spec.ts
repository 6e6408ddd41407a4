import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { ScheduledMessageView } from '#libs/api-contracts';
import { until } from '#libs/testkit';
import {
  KEY,
  call,
  configOf,
  expectProblem,
  open,
  operate,
} from '../../../test/api/api-harness.ts';
import { bearer, codeOf, makeKey } from '../../../test/api/callers.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import { fakeSchedules } from '../../../test/api/fake-schedules.ts';
import type { ApiProcess } from './api-process.ts';

const DEADLINE_MS = 10_000;
const PATH = '/api/v1/scheduled-messages';
const LATER = '2090-01-02T03:04:05.000Z';

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

const create = (json: object, headers = bearer(KEY)) =>
  operate(api, 'createScheduledMessage', { json, headers });

async function made(json: object): Promise<ScheduledMessageView> {
  const { status, body } = await create(json);
  expect(status).toBe(201);
  return body as ScheduledMessageView;
}

async function listed(query = ''): Promise<readonly ScheduledMessageView[]> {
  const { body } = await operate(api, 'listScheduledMessages', { path: query });
  return (body as { readonly items: readonly ScheduledMessageView[] }).items;
}

it('a message is scheduled, listed, shown with its payload, and deleted', async () => {
  const begunAt = Date.now();
  const { status, headers, body } = await create({
    ...{ topic: 'a/b', payload: 'report', qos: 1, cron: '0 4 * * MON-FRI' },
    properties: { content_type: 'text/plain' },
  });
  expect(status).toBe(201);
  const scheduled = body as ScheduledMessageView;
  expect(scheduled).toMatchObject({
    ...{ topic: 'a/b', qos: 1, retain: false, cron: '0 4 * * MON-FRI', state: 'waiting' },
    ...{
      last_due_at: null,
      count: 0,
      payload_bytes: 6,
      properties: { content_type: 'text/plain' },
    },
  });
  expect(Date.parse(scheduled.due_at)).toBeGreaterThan(begunAt);
  expect(scheduled.due_at).toMatch(/T04:00:00.000Z$/);
  const path = `${PATH}/${scheduled.id}`;
  expect(headers.get('location')).toBe(path);
  expect(await listed()).toEqual([scheduled]);
  expect((await operate(api, 'getScheduledMessage', { path })).body).toEqual(scheduled);
  const shown = await operate(api, 'getScheduledMessage', { path: `${path}?payload=text` });
  expect(shown.body).toEqual({ ...scheduled, payload: 'report', payload_encoding: 'plain' });

  expect((await operate(api, 'deleteScheduledMessage', { path })).status).toBe(204);
  expect(await listed()).toEqual([]);
  for (const id of ['getScheduledMessage', 'deleteScheduledMessage'] as const) {
    const answer = await operate(api, id, { path });
    expectProblem(answer);
    expect([answer.status, codeOf(answer)]).toEqual([404, 'not-found']);
  }
});

it('they are listed in the order of their times, by filter and time, page by page', async () => {
  const third = await made({ topic: 'a/3', due_at: '2090-01-03T00:00:00Z' });
  const first = await made({ topic: 'a/1', due_at: '2090-01-01T00:00:00Z' });
  const second = await made({ topic: 'b/2', due_at: '2090-01-02T00:00:00Z' });
  expect(await listed()).toEqual([first, second, third]);
  expect(await listed('?filter=a/%2B')).toEqual([first, third]);
  expect(await listed('?due_at[lte]=2090-01-02T00:00:00Z')).toEqual([first, second]);
  const { body } = await operate(api, 'listScheduledMessages', { path: '?limit=2' });
  const { items, page } = body as {
    readonly items: readonly ScheduledMessageView[];
    readonly page: { readonly next_cursor: string };
  };
  expect(items).toEqual([first, second]);
  expect(await listed(`?limit=2&cursor=${page.next_cursor}`)).toEqual([third]);
});

it.each([
  [{ topic: 'a' }, 400, 'validation-failed'],
  [{ topic: 'a', cron: '* * * * *', due_at: LATER }, 400, 'validation-failed'],
  [{ topic: 'a', cron: '61 * * * *' }, 400, 'validation-failed'],
  [{ topic: 'a', cron: '0 0 30 2 *' }, 400, 'validation-failed'],
  [{ topic: 'a/+', due_at: LATER }, 400, 'invalid-topic'],
  [{ topic: '$delayed/1/a', due_at: LATER }, 422, 'unprocessable'],
])('%j is refused', async (json, status, code) => {
  const answer = await create(json);
  expectProblem(answer);
  expect([answer.status, codeOf(answer)]).toEqual([status, code]);
  expect(await listed()).toEqual([]);
});

it('none is taken while delayed publish is switched off', async () => {
  node.schedules = fakeSchedules(() => false);
  const answer = await create({ topic: 'a', due_at: LATER });
  expectProblem(answer);
  expect([answer.status, codeOf(answer)]).toEqual([422, 'unprocessable']);
});

it('a key that is bound to topics schedules for those alone', async () => {
  const { secret } = await makeKey(api, { role: 'operator', topic_prefixes: ['mine'] });
  const answer = await create({ topic: 'yours/a', due_at: LATER }, bearer(secret));
  expect([answer.status, codeOf(answer)]).toEqual([403, 'topic-not-allowed']);
  const asking = { topic: 'mine/a', due_at: LATER, properties: { response_topic: 'yours/a' } };
  const asked = await create(asking, bearer(secret));
  expect([asked.status, codeOf(asked)]).toEqual([403, 'topic-not-allowed']);
  expect((await create({ topic: 'mine/a', due_at: LATER }, bearer(secret))).status).toBe(201);
});
