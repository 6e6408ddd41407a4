import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLog } from '#libs/testkit';
import { configOf, open } from '../../../test/api/api-harness.ts';
import { ApiProcess, StartFault } from './api-process.ts';

describe('without a key', () => {
  let api: ApiProcess;

  beforeAll(async () => {
    api = await open(await configOf({}));
  });

  afterAll(() => api.stop());

  /** fetch() does not let a caller choose Host. */
  async function statusFor(headers: Readonly<Record<string, string>>): Promise<number> {
    const request = httpRequest(`${api.url}/api/openapi.json`, { headers });
    request.end();
    const [response] = (await once(request, 'response')) as [
      { statusCode: number; resume(): void },
    ];
    response.resume();
    return response.statusCode;
  }

  it.each([
    [{ host: 'localhost:8080' }, 200],
    [{ host: '127.0.0.1' }, 200],
    [{ host: '[::1]:8080' }, 200],
    [{ host: 'localhost:8080', origin: 'http://localhost:8080' }, 200],
    [{ host: 'evil.example' }, 403],
    [{ host: 'localhost.evil.example:8080' }, 403],
    [{ host: 'localhost:8080', origin: 'http://evil.example' }, 403],
    [{ host: 'localhost:8080', origin: 'null' }, 403],
    [{ host: 'localhost:8080', 'x-forwarded-for': '198.51.100.7' }, 403],
    [{ host: 'localhost:8080', forwarded: 'for=198.51.100.7' }, 403],
    [{ host: 'localhost:8080', 'x-real-ip': '198.51.100.7' }, 403],
    [{ host: 'localhost:8080', via: '1.1 proxy' }, 403],
  ])('treats %j as %i', async (headers, status) => {
    expect(await statusFor(headers)).toBe(status);
  });

  it('makes a first key when it is to listen beyond this machine, and shows it once', async () => {
    const config = await configOf({ SKEIN_API_HOST: '0.0.0.0' });
    const shown: string[] = [];
    const wide = new ApiProcess(config, silentLog, (text) => shown.push(text));
    await wide.start();
    const url = `http://127.0.0.1:${new URL(wide.url).port}/api/v1/whoami`;
    const [secret = ''] = /skn_\S+/.exec(shown.join('')) ?? [];
    const known = await fetch(url, { headers: { authorization: `Bearer ${secret}` } });
    expect(await known.json()).toMatchObject({ name: 'first key', roles: ['admin'] });
    expect((await fetch(url)).status).toBe(401);
    expect(shown).toHaveLength(1);
    await wide.stop();
  });

  it('refuses a port that is taken in one line', async () => {
    const config = await configOf({});
    const taken = { ...config, api: { ...config.api, port: Number(new URL(api.url).port) } };
    const second = new ApiProcess(taken, silentLog);

    await expect(second.start()).rejects.toThrow(StartFault);
    await second.stop();
    const third = new ApiProcess(taken, silentLog);
    await expect(third.start()).rejects.toThrow(/^api\.port: 127\.0\.0\.1:\d+ is in use; [^\n]+$/);
    await third.stop();
  });
});
