import { expect, it } from '@jest/globals';
import { configOf, open } from '../../../../test/api/api-harness.ts';
import { anonymous } from '../../../../test/api/callers.ts';
import { Cursors } from './cursor.ts';

it('without a key of the configuration nobody can make a cursor from what is known of the cluster', async () => {
  const config = await configOf({});
  const api = await open(config);
  const page = await anonymous(api, '/api/v1/roles?limit=1');
  const { next_cursor: cursor } = (page.body as { page: { next_cursor: string } }).page;
  const next = await anonymous(api, `/api/v1/roles?limit=1&cursor=${cursor}`);
  expect(next.status).toBe(200);
  const forger = new Cursors({ secret: () => config.node.clusterName, now: Date.now });
  const forged = forger.encode(JSON.stringify(['local', '/api/v1/roles', []]), 'a');
  expect(await anonymous(api, `/api/v1/roles?limit=1&cursor=${forged}`)).toMatchObject({
    status: 400,
    body: { code: 'invalid-cursor' },
  });
  await api.stop();
});
