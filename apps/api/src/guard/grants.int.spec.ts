import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { KEY, configOf, open, operate } from '../../../../test/api/api-harness.ts';
import { bearer, codeOf, makeKey, whoami } from '../../../../test/api/callers.ts';
import { FakeNode } from '../../../../test/api/fake-node.ts';
import type { ApiProcess } from '../api-process.ts';

const ROUNDS = 10;

let api: ApiProcess;
let node: FakeNode;

beforeAll(async () => {
  const config = await configOf({
    SKEIN_API_KEY: KEY,
    SKEIN_API_RATE_LIMITS_REQUESTS_PER_SECOND: '1',
    SKEIN_API_RATE_LIMITS_REQUEST_BURST: '1000',
  });
  node = new FakeNode('n1', config, ['n1']);
  await node.server.open();
  api = await open(config);
});

afterAll(async () => {
  await api.stop();
  await node.server.close();
});

describe('who says who may do what', () => {
  it('takes nothing from those who may do more', async () => {
    const admin = await makeKey(api, { role: 'admin' });
    const { secret } = await makeKey(api, { role: 'security_admin' });
    const headers = { ...bearer(secret), 'if-match': '*' };
    const path = `/api/v1/api-keys/${admin.id}`;
    const subject = { kind: 'group', name: 'root' };
    const made = await operate(api, 'createRoleBinding', { json: { role: 'admin', subject } });
    const binding = made.headers.get('location') ?? '';
    await operate(api, 'createRole', { json: { id: 'reader', scopes: ['payloads:read'] } });
    const role = '/api/v1/roles/reader';
    const tries = [
      await operate(api, 'deleteApiKey', { path, headers }),
      await operate(api, 'patchApiKey', { path, headers, json: { role: 'viewer' } }),
      await operate(api, 'rotateApiKey', { path: `${path}/rotations`, headers, json: {} }),
      await operate(api, 'deleteRoleBinding', { path: binding, headers }),
      await operate(api, 'replaceRoleBinding', {
        ...{ path: binding, headers, json: { role: 'viewer', subject } },
      }),
      await operate(api, 'deleteRole', { path: role, headers }),
      await operate(api, 'replaceRole', { path: role, headers, json: { scopes: [] } }),
    ];
    expect(tries.map((each) => codeOf(each))).toEqual(tries.map(() => 'scope-escalation'));
    expect((await whoami(api, bearer(admin.secret))).body).toMatchObject({ roles: ['admin'] });
    const equal = await makeKey(api, { role: 'security_admin' });
    const own = { path: `/api/v1/api-keys/${equal.id}`, headers };
    expect((await operate(api, 'deleteApiKey', own)).status).toBe(204);
  });

  it('never leaves a key with a role that goes at the same time', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const id = `fleeting-${round}`;
      await operate(api, 'createRole', { json: { id, scopes: ['stats:read'] } });
      const [gone, made] = await Promise.all([
        operate(api, 'deleteRole', { path: `/api/v1/roles/${id}`, headers: { 'if-match': '*' } }),
        operate(api, 'createApiKey', { json: { name: 'x', role: id } }),
      ]);
      expect([
        [204, 422],
        [409, 201],
      ]).toContainEqual([gone.status, made.status]);
    }
  });
});

it('each item of a list counts for the rate of its caller', async () => {
  const { secret } = await makeKey(api, { role: 'security_admin' });
  const bans = Array.from({ length: 400 }, (_, index) => ({ client_id: `c${index}` }));
  const answers = [];
  for (let turn = 0; turn < 5; turn += 1) {
    answers.push(await operate(api, 'changeBans', { json: bans, headers: bearer(secret) }));
  }
  expect(answers[0]?.status).toBe(200);
  expect(codeOf(answers.at(-1) ?? { body: null })).toBe('rate-limited');
});

describe('who does not see content', () => {
  it('sees neither user properties nor correlation data of what is retained', async () => {
    node.messages.retained.set('t', {
      ...{ topic: 't', qos: 0, payloadBytes: 1, payload: 'eA==', publisher: '' },
      ...{ receivedAtMs: 1, expiresAtMs: 0 },
      properties: {
        ...{ userProperties: [['patient', 'marker']], correlationData: 'AP8=' },
        ...{ contentType: 'text/plain', responseTopic: 'answers' },
      },
    });
    const { secret } = await makeKey(api, { role: 'viewer' });
    const seen = await operate(api, 'listRetainedMessages', { headers: bearer(secret) });
    expect(seen).toMatchObject({
      status: 200,
      body: {
        items: [{ properties: { content_type: 'text/plain', response_topic: 'answers' } }],
      },
    });
    expect(JSON.stringify(seen.body)).not.toMatch(/marker|AP8=/);
    const whole = await operate(api, 'listRetainedMessages', { path: '?payload=base64' });
    expect(JSON.stringify(whole.body)).toMatch(/marker.*/);
  });
});

it('who publishes below its topics only has answers sent to them only', async () => {
  const { secret } = await makeKey(api, { scopes: ['messages:publish'], topic_prefixes: ['a'] });
  const publish = async (json: object) =>
    codeOf(await operate(api, 'publishMessage', { json, headers: bearer(secret) }));
  const message = { topic: 'a/b', payload: '' };
  const answered = (topic: string) => ({ ...message, properties: { response_topic: topic } });
  expect(await publish(answered('a/c'))).toBeUndefined();
  expect(await publish(answered('b'))).toBe('topic-not-allowed');
  const bulk = await operate(api, 'publishMessages', {
    ...{ json: [message, answered('b')], headers: bearer(secret) },
  });
  expect(codeOf(bulk)).toBe('topic-not-allowed');
});
