import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { KEY, configOf, open } from '../../../../test/api/api-harness.ts';
import { FakeNode, clientOf } from '../../../../test/api/fake-node.ts';
import { ApiFuzzer } from '../../../../test/api/fuzz/api-fuzzer.ts';
import type { ApiProcess } from '../api-process.ts';

const SEED = Math.floor(Math.random() * 2 ** 31);
const ROUNDS = 12;

let api: ApiProcess;
let node: FakeNode;

beforeAll(async () => {
  const config = await configOf({
    ...{ SKEIN_API_KEY: KEY, SKEIN_API_NODE_TIMEOUT_MS: '7000' },
    ...{
      SKEIN_API_RATE_LIMITS_REQUESTS_PER_SECOND: '0',
      SKEIN_API_RATE_LIMITS_PUBLISHES_PER_SECOND: '0',
      SKEIN_API_RATE_LIMITS_FAILURES_PER_SECOND: '0',
    },
  });
  node = new FakeNode('n1', config, ['n1']);
  for (const id of ['a', 'b/+#%?é😀', 'press/7']) node.clients.set(id, clientOf(id));
  await node.server.open();
  api = await open(config);
});

afterAll(async () => {
  await api.stop();
  await node.server.close();
});

it(`whatever is asked, the answer is a documented one and no fault of the API (seed ${SEED})`, async () => {
  const fuzzer = new ApiFuzzer({ origin: api.url, authorization: `Bearer ${KEY}`, seed: SEED });
  const { failures, statuses } = await fuzzer.run(ROUNDS);
  expect(failures.join('\n')).toBe('');
  // Of what is sent some is right: else only the check of requests is tried.
  expect(statuses.get(200)).toBeGreaterThan(50);
  expect(statuses.get(400)).toBeGreaterThan(50);
}, 300_000);
