import { afterEach, expect, it } from '@jest/globals';
import mqtt from 'mqtt';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const WAIT_MS = 20_000;

const scope = new Scope();
afterEach(() => scope.close());

type Line = Readonly<Record<string, unknown>> & {
  readonly packet?: { readonly type: string; readonly payload?: string };
};

it('a client is traced from its CONNECT on, at whichever node it is, and if it is refused', async () => {
  const { nodes, redis } = await startCluster(scope);
  const [first, second] = nodes;
  const api = await Api.start(scope, redis);
  const ask = async (path: string, json?: object) => {
    const response = await fetch(`${api.origin}/api/v1${path}`, {
      method: json === undefined ? 'GET' : 'POST',
      ...(json !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(json),
      }),
    });
    return { status: response.status, text: await response.text() };
  };
  const made = await ask('/traces', { client_id: 'device', payload: 'text' });
  expect(made.status).toBe(201);
  const { id } = JSON.parse(made.text) as { readonly id: string };
  const lines = async (): Promise<readonly Line[]> =>
    (await ask(`/traces/${id}/content`)).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);

  // Both directions at one node, and others are not in it.
  const sender = await Client.connect(scope, second.url, { clientId: 'sender' });
  const options = { clientId: 'device', clean: false, username: 'someone', password: 'opensesame' };
  const device = await Client.connect(scope, first.url, options);
  await device.subscribe('to/device', 1);
  await sender.publish('to/device', 'reboot', { qos: 1 });
  await device.publish('from/device', 'done', { qos: 1 });
  await device.leave();
  // The same client at another node.
  const moved = await Client.connect(scope, second.url, options);
  await moved.publish('from/device', 'again', { qos: 0 });
  await moved.leave();
  // And one that is not let in.
  const ban = { kind: 'client_id', value: 'device' };
  expect((await ask('/bans', ban)).status).toBe(201);
  const refused = mqtt.connect(second.url, { ...options, protocolVersion: 5, reconnectPeriod: 0 });
  scope.add(() => refused.endAsync(true));
  await new Promise<void>((resolve) => refused.once('error', () => resolve()));

  const seen = async () => (await lines()).map((line) => wordsOf(line, [first.id, second.id]));
  await until(async () => (await seen()).some((each) => each.includes('refused')), WAIT_MS);
  const words = await seen();
  const expected = [
    ...['0 in connect', '0 out connack', '0 in subscribe', '0 out suback'],
    ...['0 out publish reboot', '0 in puback', '0 in publish done', '0 out puback'],
    ...['0 in disconnect', '1 in connect', '1 out connack', '1 in publish again'],
    ...['1 in disconnect', '1 in connect', '1 out connack', '1 connect_refused banned'],
  ];
  for (const each of expected) expect(words).toContain(each);
  const text = (await ask(`/traces/${id}/content`)).text;
  expect(text).toContain('"has_password":true');
  expect(text).not.toContain('opensesame');
  expect(text).not.toContain('"client_id":"sender"');
  const end = (await lines()).at(-1);
  expect(end).toMatchObject({ kind: 'end', unavailable_nodes: [] });
  expect(end?.['nodes']).toHaveLength(nodes.length);
});

/** Of a record: its node by its place, direction and type, and what it is about. */
function wordsOf({ kind, node, direction, packet, decision }: Line, nodes: readonly string[]) {
  const place = String(nodes.indexOf(String(node)));
  if (kind === 'packet') {
    const { type, payload } = packet ?? { type: '' };
    return `${place} ${String(direction)} ${type}${payload === undefined ? '' : ` ${payload}`}`;
  }
  if (kind !== 'decision') return String(kind);
  const { type, detail } = decision as { readonly type: string; readonly detail?: string };
  return `${place} ${type}${detail === undefined ? '' : ` ${detail}`}`;
}
