import { afterEach, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { Scope } from './harness/scope.ts';

const DEADLINE_MS = 20_000;

const scope = new Scope();
afterEach(() => scope.close());

async function clientsOf(node: Broker, names: readonly string[]): Promise<Client[]> {
  return await Promise.all(names.map((clientId) => Client.connect(scope, node.url, { clientId })));
}

const names = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, at) => `c${String(from + at)}`);

/** What the readiness probe says of connections, with its status. */
async function connectionsCheck(node: Broker): Promise<readonly unknown[]> {
  const url = `http://127.0.0.1:${String(node.ops.port)}/healthz/ready?verbose`;
  const response = await fetch(url);
  const { checks } = (await response.json()) as { checks: { connections?: { state: string } } };
  return [response.status, checks.connections?.state];
}

it('a node is not ready from 95 % of its connections on, until it has less than 85 %', async () => {
  const node = await Broker.start(scope, { LISTENERS_TCP_CONNECTIONS_MAX: 20 });
  const clients = await clientsOf(node, names(0, 18));
  expect(await connectionsCheck(node)).toEqual([200, 'ok']);
  clients.push(...(await clientsOf(node, names(18, 19))));
  expect(await connectionsCheck(node)).toEqual([503, 'full, tcp: 19 of 20 connections']);
  for (const client of clients.slice(0, 2)) await client.mqtt.endAsync();
  await until(async () => {
    expect(await connectionsCheck(node)).toEqual([503, 'full, tcp: 17 of 20 connections']);
  }, DEADLINE_MS);
  await clients[2]?.mqtt.endAsync();
  await until(async () => expect(await connectionsCheck(node)).toEqual([200, 'ok']), DEADLINE_MS);
  await clientsOf(node, names(19, 21));
  expect(await connectionsCheck(node)).toEqual([200, 'ok']);
});

it('a node that is told so is ready however many connections it has', async () => {
  const node = await Broker.start(scope, {
    ...{ LISTENERS_TCP_CONNECTIONS_MAX: 4, OPS_UNREADY_WHEN_FULL: 'false' },
  });
  await clientsOf(node, names(0, 4));
  expect(await connectionsCheck(node)).toEqual([200, undefined]);
});
