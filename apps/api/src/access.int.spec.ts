import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { KEY, configOf, open, operate } from '../../../test/api/api-harness.ts';
import { FakeNode } from '../../../test/api/fake-node.ts';
import type { ApiProcess } from './api-process.ts';

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
