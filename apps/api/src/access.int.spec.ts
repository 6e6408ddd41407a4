import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

const RULE = { effect: 'allow', topics: ['a/#'], who: { client_ids: ['c'] } };

describe('access over REST', () => {
  let api: ApiProcess;
  let node: FakeNode;

  beforeAll(async () => {
    const config = await configOf({ SKEIN_API_KEY: KEY, SKEIN_API_NODE_TIMEOUT_MS: '7000' });
    node = new FakeNode('n1', config, ['n1']);
    await node.server.open();
    api = await open(config);
  });

  beforeEach(() => {
    node.received.length = 0;
  });

  afterAll(async () => {
    await api.stop();
    await node.server.close();
  });

  it('replaces rules as their author has seen them', async () => {
    const shown = await operate(api, 'listAclRules');
    const etag = shown.headers.get('etag') ?? '';
    expect(shown.body).toEqual({ configured_rules: [], rules: [], default: 'deny' });
    const replace = (headers: Record<string, string>, json: object = { rules: [RULE] }) =>
      operate(api, 'replaceAclRules', { json, headers });
    expect((await replace({})).status).toBe(428);
    expect((await replace({ 'if-match': '"77"' })).status).toBe(412);
    const replaced = await replace({ 'if-match': etag });
    const stored = { ...RULE, actions: ['publish', 'subscribe'] };
    expect(replaced).toMatchObject({ status: 200, body: { rules: [stored] } });
    expect(replaced.headers.get('etag')).not.toBe(etag);
    const { who, ...rest } = stored;
    expect(node.received).toContainEqual(
      expect.objectContaining({ rules: [{ ...rest, who: { clientIds: who.client_ids } }] }),
    );
    expect(
      (await replace({ 'if-match': '*' }, { rules: [{ ...RULE, retain: true }] })).status,
    ).toBe(422);
  });

  it('answers 304 to whom has the rules', async () => {
    const etag = (await operate(api, 'listAclRules')).headers.get('etag') ?? '';
    const again = await operate(api, 'listAclRules', { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
  });

  it('asks what somebody may do', async () => {
    const checks = [
      { action: 'publish', topic: 'a' },
      { action: 'subscribe', topic_filter: 'a/#', qos: 1 },
    ];
    const asked = await operate(api, 'simulateAcl', { json: { client_id: 'c', checks } });
    const verdict = { allowed: true, rule: null, except: null };
    expect(asked).toMatchObject({ status: 200, body: { results: [verdict, verdict] } });
    expect(node.received).toContainEqual(
      expect.objectContaining({
        requests: [
          { kind: 'publish', topic: 'a', qos: 0, retain: false },
          { kind: 'subscribe', filter: 'a/#', qos: 1 },
        ],
      }),
    );
  });
});
