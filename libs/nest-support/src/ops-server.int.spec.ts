import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLog } from '#libs/testkit';
import { OpsServer } from './ops-server.ts';

let health: Record<string, string>;
let server: OpsServer;

beforeAll(async () => {
  server = new OpsServer({
    ...{ host: '127.0.0.1', port: 0, log: silentLog },
    metrics: () => Promise.resolve({ contentType: 'text/plain', body: 'a 1\n' }),
    detailed: (query, accept) =>
      Promise.resolve(
        query.get('client_id') === 'a/b' ? { contentType: accept, body: 'b 2\n' } : undefined,
      ),
    ready: () => health,
    started: () => Promise.resolve({ start: 'in progress' }),
  });
  await server.open();
});
afterAll(() => server.close());
beforeEach(() => {
  health = { node: 'ok', redis: 'ok' };
});

const get = (path: string, method = 'GET') =>
  fetch(`http://127.0.0.1:${String(server.port)}${path}`, { method });

async function ready(query = '') {
  const answer = await get(`/healthz/ready${query}`);
  return { status: answer.status, body: (await answer.json()) as never };
}

describe('OpsServer', () => {
  it('shows checks, and answers 503 as long as one of them fails', async () => {
    expect(await ready()).toEqual({ status: 200, body: { status: 'ok', checks: health } });
    health = { node: 'ok, with a remark', redis: 'ok' };
    expect(await ready()).toMatchObject({ status: 200 });
    for (const name of Object.keys(health)) {
      health = { node: 'ok', redis: 'ok', [name]: 'broken' };
      expect(await ready()).toEqual({
        status: 503,
        body: { status: 'unavailable', checks: health },
      });
    }
  });

  it('tells with ?verbose since when a check has been as it is', async () => {
    const shown = (await ready('?verbose')).body as { checks: Record<string, object> };
    expect(shown).toEqual({
      status: 'ok',
      checks: {
        node: { state: 'ok', since: expect.any(String), latency_ms: expect.any(Number) },
        redis: { state: 'ok', since: expect.any(String), latency_ms: expect.any(Number) },
      },
    });
    health = { node: 'ok', redis: 'unavailable' };
    const failed = await ready('?verbose');
    expect(failed.status).toBe(503);
    const { checks } = failed.body as typeof shown;
    expect(checks['node']).toMatchObject({ since: (shown.checks['node'] as never)['since'] });
    expect(checks['redis']).toMatchObject({ state: 'unavailable' });
    expect((await ready('?verbose')).body).toMatchObject({
      checks: { redis: { since: (checks['redis'] as never)['since'] } },
    });
  });

  it('is alive while it answers, and has started when it says so', async () => {
    expect((await get('/healthz/live')).status).toBe(200);
    expect((await get('/healthz/startup')).status).toBe(503);
    expect(await (await get('/metrics')).text()).toBe('a 1\n');
    const detailed = '/metrics/detailed?family=sessions&client_id=';
    expect(await (await get(`${detailed}a%2Fb`)).text()).toBe('b 2\n');
    const absent = await get(`${detailed}a`);
    expect([absent.status, await absent.text()]).toEqual([404, expect.stringContaining(detailed)]);
    expect((await get('/healthz/else')).status).toBe(404);
    expect((await get('/metrics', 'POST')).status).toBe(405);
  });
});
