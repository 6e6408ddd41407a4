import type { lookup, LookupAddress } from 'node:dns';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { startWebhookServer, type WebhookServer } from '#libs/testkit';
import { WebhookClient } from './webhook-client.ts';

let server: WebhookServer;
const clients: WebhookClient[] = [];

beforeEach(async () => {
  server = await startWebhookServer();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.stop();
});

type Found = (error: Error | null, addresses: LookupAddress[]) => void;

/** A client for a name that means other addresses each time it is looked up. */
function clientOf(answers: readonly (readonly string[])[], allowPrivate = false) {
  const asked: string[] = [];
  const find = (hostname: string, _: unknown, done: Found): void => {
    const addresses = answers[asked.length] ?? [];
    asked.push(hostname);
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  const url = new URL(`http://hooks.example:${String(server.port)}/hook`);
  const client = new WebhookClient({
    ...{ url, ca: undefined, allowPrivate, timeoutMs: 500 },
    lookup: find as unknown as typeof lookup,
  });
  clients.push(client);
  return { client, asked };
}

it('a name is looked up for each connection, so that none is believed for longer', async () => {
  const { client, asked } = clientOf([['127.0.0.1'], ['::1']]);
  const post = () => client.post({ body: '{}' });
  await expect(post()).rejects.toThrow('127.0.0.1 is no address of the internet');
  await expect(post()).rejects.toThrow('::1 is no address of the internet');
  expect(asked).toEqual(['hooks.example', 'hooks.example']);
  expect(server.posts).toBe(0);
});

it('a name is refused when one of its addresses is private', async () => {
  for (const address of ['10.0.0.1', '::1', 'fe80::1', '169.254.169.254', '::ffff:127.0.0.1']) {
    const { client } = clientOf([['203.0.112.1', address]]);
    await expect(client.post({ body: '{}' })).rejects.toThrow(`${address} is no address`);
  }
});

it('only the status counts where that was asked for', async () => {
  const url = new URL(`http://127.0.0.1:${String(server.port)}/hook`);
  const client = new WebhookClient({ url, ca: undefined, allowPrivate: true, timeoutMs: 10_000 });
  clients.push(client);
  server.answer = () => ({ status: 200, body: 'x'.repeat(1_000_000) });
  await expect(client.post({ body: '{}' })).rejects.toThrow('the answer is too long');
  expect(await client.post({ body: '{}', statusOnly: true })).toEqual({ status: 200, text: '' });
});
