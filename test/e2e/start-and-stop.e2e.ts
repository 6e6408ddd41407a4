import { afterEach, expect, it } from '@jest/globals';
import { freePort, until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import type { Child } from './harness/child.ts';
import { startCluster } from './harness/cluster.ts';
import { bridgeTo } from './harness/kafka.ts';
import { Scope } from './harness/scope.ts';

/** Far below the time after which a node that drains is killed. */
const DEADLINE_MS = 20_000;

const scope = new Scope();
afterEach(() => scope.close());

/** What a process has logged as a warning or an error. */
function troubles({ output }: Child): string[] {
  return output
    .split('\n')
    .filter((line) => / (?:warn|error) /.test(line) || line.includes('Error'));
}

it('an embedded node and its API start and stop without a warning, the API first', async () => {
  const node = await Broker.prepare(scope);
  const starting = Api.start(scope, node.settings);
  await node.start();
  const api = await starting;
  expect((await api.call('getStatus')).status).toBe(200);
  expect(await api.child.stop()).toBe(0);
  await node.stop();
  expect([...troubles(node.child), ...troubles(api.child)]).toEqual([]);
});

it('three nodes and their API start without a warning', async () => {
  const { nodes } = await startCluster(scope);
  const api = await Api.start(scope, nodes[0].settings);
  expect((await api.call('getStatus')).status).toBe(200);
  expect([...nodes.flatMap(({ child }) => troubles(child)), ...troubles(api.child)]).toEqual([]);
});

it('a node stops in a moment while its Kafka is away', async () => {
  const rules = [
    { id: 'out', direction: 'mqtt-to-kafka', filter: 'a/#', topic: 't', ack: 'none' },
    { id: 'in', direction: 'kafka-to-mqtt', topic: 'commands', mqttTopic: 'd/${key}', qos: 1 },
  ];
  const kafka = `127.0.0.1:${String(await freePort())}`;
  const node = await Broker.start(scope, bridgeTo(kafka, rules));
  const client = await Client.connect(scope, node.url);
  await client.publish('a/b', '1');
  await until(() => node.child.output.split('bridge-connecting').length === 3, DEADLINE_MS);
  // Fails unless the node ends by itself within its grace, with exit code 0.
  await expect(node.stop()).resolves.toBeUndefined();
});
