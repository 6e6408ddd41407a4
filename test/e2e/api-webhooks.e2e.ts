import { createHmac, randomBytes } from 'node:crypto';
import { afterEach, expect, it } from '@jest/globals';
import { startWebhookServer, until, type PostedRequest } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

/** A replica that is killed keeps its lease for ten seconds. */
const WAIT_MS = 40_000;

const scope = new Scope();
afterEach(() => scope.close());

interface Told {
  readonly events: {
    readonly id: string;
    readonly type: string;
    readonly client_id: string;
    readonly node: string;
  }[];
}

const eventsOf = ({ body }: PostedRequest) => (JSON.parse(body.toString()) as Told).events;

/** As docs/api.md has it. */
function isSigned({ headers, body }: PostedRequest, secret: string): boolean {
  const of = (name: string) => headers[name]?.[0] ?? '';
  const expected = createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64'))
    .update(`${of('webhook-id')}.${of('webhook-timestamp')}.${body.toString()}`)
    .digest('base64');
  return of('webhook-signature').split(' ').includes(`v1,${expected}`);
}

it('a webhook is told what happens at all nodes, also when the replica that tells it is killed', async () => {
  const server = await startWebhookServer();
  scope.add(() => server.stop());
  const { nodes, redis } = await startCluster(scope);
  const settings = { ...redis, API_WEBHOOKS_ALLOW_PRIVATE: 'true' };
  // The first is alone for a moment, so that it is the one that tells.
  const first = await Api.start(scope, settings);
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const url = `http://127.0.0.1:${String(server.port)}/hook`;
  const made = await first.call('createWebhook', {
    body: { url, secret, events: ['client.connected', 'client.disconnected'] },
  });
  expect(made.status).toBe(201);
  const { id } = made.body as { readonly id: string };
  const other = await Api.start(scope, settings);

  const connected = () =>
    new Map(
      server.stored
        .flatMap(eventsOf)
        .filter(({ type }) => type === 'client.connected')
        .map((event) => [event.client_id, event]),
    );
  for (const [index, node] of nodes.entries()) {
    await Client.connect(scope, node.url, { clientId: `a${String(index)}` });
  }
  await until(() => connected().size === 3, WAIT_MS);
  expect(new Set([...connected().values()].map(({ node }) => node))).toEqual(
    new Set(nodes.map((node) => node.id)),
  );

  // The endpoint is away, and so is whoever tells it: what happens meanwhile is not lost.
  server.answer = () => ({ status: 503 });
  await Client.connect(scope, nodes[0].url, { clientId: 'b0' });
  const shown = async () =>
    (
      (await other.call('listWebhookDeliveries', { path: { webhook_id: id } })).body as {
        readonly items: readonly { readonly state: string; readonly next_attempt_at: unknown }[];
      }
    ).items;
  await until(async () => (await shown())[0]?.state === 'retrying', WAIT_MS);
  expect((await shown())[0]?.next_attempt_at).toEqual(expect.any(String));
  await first.child.kill();
  await Client.connect(scope, nodes[1].url, { clientId: 'b1' });
  server.answer = () => ({ status: 204 });
  await Client.connect(scope, nodes[2].url, { clientId: 'b2' });
  await until(() => connected().size === 6, WAIT_MS);

  expect(server.stored.every((request) => isSigned(request, secret))).toBe(true);
  const told = server.stored.flatMap(eventsOf).map((event) => event.id);
  expect(new Set(told).size).toBe(told.length);
});
