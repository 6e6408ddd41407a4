import { connect } from 'node:net';
import mqtt from 'mqtt';
import { afterEach, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Balancer } from './harness/balancer.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const DEADLINE_MS = 40_000;
const CLIENTS = 60;
const MESSAGES = 30;
const PROXIED = {
  ...{ LISTENERS_TCP_PROXY_PROTOCOL: 'required', LISTENERS_TCP_PROXY_FROM: '127.0.0.1/32' },
  ...{ LISTENERS_WS_PROXY_PROTOCOL: 'required', LISTENERS_WS_PROXY_FROM: '127.0.0.1/32' },
};

const scope = new Scope();
afterEach(() => scope.close());

const numbers = (count: number): string[] => Array.from({ length: count }, (_, at) => String(at));

it('rules, logs and the API see where clients are, not where the balancer is', async () => {
  const rules = [{ effect: 'allow', topics: ['#'], who: { addresses: ['127.0.0.7/32'] } }];
  const { nodes } = await startCluster(scope, {
    ...PROXIED,
    ...{ ACL_RULES: JSON.stringify(rules), ACL_DEFAULT: 'deny' },
  });
  const balancer = await Balancer.start(scope, nodes);
  const api = await Api.start(scope, nodes[0].settings);
  const from = (localAddress: string, clientId: string, reconnectPeriod = 0) => {
    const port = balancer.port;
    const client = new mqtt.MqttClient(
      () => connect({ host: '127.0.0.1', port, localAddress }) as never,
      { clientId, protocolVersion: 5, reconnectPeriod },
    );
    scope.add(() => client.endAsync(true));
    return client;
  };
  const known = from('127.0.0.7', 'known');
  const stranger = from('127.0.0.8', 'stranger');

  expect(await known.subscribeAsync('a/b', { qos: 1 })).toMatchObject([{ qos: 1 }]);
  await expect(stranger.subscribeAsync('a/b', { qos: 1 })).rejects.toThrow(/not authorized/i);
  const shown = await api.call('getClient', { path: { client_id: 'known' } });
  expect(shown.body).toMatchObject({ remote_address: '127.0.0.7' });
  const body = { kind: 'ip', value: '127.0.0.8', reason: 'a stranger' };
  expect((await api.call('createBan', { body })).status).toBe(201);
  await until(() => !stranger.connected, DEADLINE_MS);
  const again = from('127.0.0.8', 'stranger', 100);
  again.on('error', () => undefined);
  const said = /connect-refused.*address="?127\.0\.0\.8"? clientId="?stranger/;
  await until(() => nodes.some((node) => said.test(node.child.output)), DEADLINE_MS);

  const ws = `ws://127.0.0.1:${String(balancer.portOf('8880'))}/mqtt`;
  const web = { clientId: 'web', wsOptions: { localAddress: '127.0.0.7' } };
  const surfer = await Client.connect(scope, ws, web);
  expect(await surfer.mqtt.subscribeAsync('a/b', { qos: 1 })).toMatchObject([{ qos: 1 }]);
  const seen = await api.call('getClient', { path: { client_id: 'web' } });
  expect(seen.body).toMatchObject({ remote_address: '127.0.0.7' });
  const banned = { clientId: 'pest', wsOptions: { localAddress: '127.0.0.8' } };
  await expect(Client.connect(scope, ws, banned)).rejects.toThrow(/banned/i);
});

it('a node is drained behind it, and its clients see a reconnect and nothing else', async () => {
  const settings = { ...PROXIED, DRAIN_LAME_DUCK_SECONDS: 5, DRAIN_CONNECTIONS_PER_SECOND: 40 };
  const { nodes } = await startCluster(scope, settings);
  const balancer = await Balancer.start(scope, nodes);
  const url = `mqtt://127.0.0.1:${String(balancer.port)}`;
  const errors: string[] = [];
  const clients = numbers(CLIENTS).map((at) => {
    // Every other one cannot be told why.
    const version = Number(at) % 2 === 0 ? 5 : 4;
    const client = new Client(scope, url, {
      ...{ clientId: `c${at}`, reconnectPeriod: 50, clean: false, protocolVersion: version },
      ...(version === 5 && { properties: { sessionExpiryInterval: 300 } }),
    });
    client.mqtt.on('error', (error) => errors.push(`c${at}: ${error.message}`));
    return client;
  });
  await until(() => clients.every(({ isConnected }) => isConnected), DEADLINE_MS);
  await Promise.all(clients.map((client, at) => client.subscribe(`to/c${String(at)}`, 1)));
  const held = await Promise.all(nodes.map((node) => node.ops.metric('skein_broker_connections')));
  expect(held).toEqual([CLIENTS / 3, CLIENTS / 3, CLIENTS / 3]);
  const feeder = await Client.connect(scope, url, { clientId: 'feeder', reconnectPeriod: 50 });

  const stopped = nodes[0].child.stop();
  for (const number of numbers(MESSAGES)) {
    await Promise.all(clients.map((_, at) => feeder.publish(`to/c${String(at)}`, number)));
  }
  expect(await stopped).toBe(0);
  await until(() => clients.every(({ mqtt: own }) => own.connected), DEADLINE_MS);

  for (const [at, client] of clients.entries()) {
    await until(() => {
      const payloads = new Set(client.received.map(({ payload }) => payload));
      expect([at, [...payloads].toSorted()]).toEqual([at, numbers(MESSAGES).toSorted()]);
    }, DEADLINE_MS);
  }
  expect(errors).toEqual([]);
  const closes = clients.map((client) => client.closes);
  expect(closes.filter((count) => count > 1)).toEqual([]);
  expect(closes.filter((count) => count === 1)).toHaveLength(CLIENTS / 3);
  const told = clients.filter((client, at) => at % 2 === 0 && client.closes === 1);
  expect(clients.flatMap(({ disconnects }) => disconnects)).toEqual(told.map(() => 0x8b));
  expect([told.length > 0, told.length < CLIENTS / 3]).toEqual([true, true]);
  expect(feeder.closes).toBeLessThanOrEqual(1);
  // Nobody came to the node that was going: what it sent away is at the two others.
  const left = await Promise.all(
    nodes.slice(1).map((node) => node.ops.metric('skein_broker_connections')),
  );
  expect(left.reduce((sum, count) => sum + count, 0)).toBe(CLIENTS + 1);
});
