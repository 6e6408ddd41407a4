import { afterEach, expect, it } from '@jest/globals';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { Nomad } from './harness/nomad.ts';
import { Scope } from './harness/scope.ts';

const DEADLINE_MS = 40_000;
const CLIENTS = 240;
const RATE = 80;
const MESSAGES = 20;

const scope = new Scope();
afterEach(() => scope.close());

const numbers = (count: number): string[] => Array.from({ length: count }, (_, at) => String(at));

/** How many left each second since then; a test process that is slow finds less, never more. `npm run faults -- --row moves` measures. */
function rateSince(beganAtMs: number, nomads: readonly Nomad[]): number {
  const last = Math.max(...nomads.map(({ leftAtMs }) => leftAtMs));
  return nomads.length / ((last - beganAtMs) / 1_000);
}

/** What a PUBCOMP says to a PUBREL that is repeated after its PUBCOMP was lost: it is no error then (MQTT 5, table 3-8). */
const PACKET_ID_NOT_FOUND = 0x92;

function unlessRepeated(error: unknown): void {
  if ((error as { readonly code?: unknown }).code !== PACKET_ID_NOT_FOUND) throw error;
}

/** What a test publishes while clients move: to each of them, and from each of them. */
async function exchange(nomads: readonly Nomad[], feeder: Client): Promise<void> {
  for (const number of numbers(MESSAGES)) {
    await Promise.all(
      nomads.flatMap(({ id, qos, mqtt: own }) => [
        feeder.mqtt.publishAsync(`to/${id}`, number, { qos }),
        own.publishAsync(`from/${id}`, number, { qos }).catch(unlessRepeated),
      ]),
    );
  }
}

it('a node that ends sends its clients away at the set rate; nothing is lost, and no will is told', async () => {
  const settings = { DRAIN_CONNECTIONS_PER_SECOND: RATE, NODE_SERVER_REFERENCE: 'elsewhere:1883' };
  const { nodes } = await startCluster(scope, settings);
  const [ending, staying] = nodes;
  const witness = await Client.connect(scope, staying.url, { clientId: 'witness' });
  await witness.subscribe('wills/#', 1);
  await witness.subscribe('from/#', 2);
  const feeder = await Client.connect(scope, staying.url, { clientId: 'feeder' });
  const nomads = Array.from(
    { length: CLIENTS },
    (_, at) => new Nomad(scope, at, [ending, staying]),
  );
  await until(() => nomads.every(({ connects }) => connects === 1), DEADLINE_MS);
  await Promise.all(
    nomads.map(({ id, qos, mqtt: own }) => own.subscribeAsync(`to/${id}`, { qos })),
  );

  const exchanged = exchange(nomads, feeder);
  const beganAtMs = performance.now();
  const stopped = ending.child.stop();
  await until(async () => (await ending.ops.health('ready')) === 503, 1_000);
  expect(await stopped).toBe(0);
  await exchanged;
  await until(
    () => nomads.every(({ connects, mqtt: own }) => connects === 2 && own.connected),
    DEADLINE_MS,
  );

  expect(rateSince(beganAtMs, nomads)).toBeGreaterThan(RATE * 0.4);
  expect(rateSince(beganAtMs, nomads)).toBeLessThan(RATE * 1.2);
  expect(new Set(nomads.flatMap(({ reasons }) => reasons))).toEqual(new Set([0x9c]));
  await until(() => {
    for (const { id, received, qos } of nomads) {
      const seen = qos === 2 ? received : [...new Set(received)];
      expect([id, seen.toSorted()]).toEqual([id, numbers(MESSAGES).toSorted()]);
    }
  }, DEADLINE_MS);
  const wanted = nomads.flatMap(({ id }) => numbers(MESSAGES).map((at) => `from/${id} ${at}`));
  await until(() => {
    const seen = new Set(witness.received.map(({ topic, payload }) => `${topic} ${payload}`));
    expect(wanted.filter((each) => !seen.has(each))).toEqual([]);
  }, DEADLINE_MS);
  expect(witness.received.filter(({ topic }) => topic.startsWith('wills/'))).toEqual([]);
});

it('a will is told of who does not come back in time, and of nobody else', async () => {
  const { nodes } = await startCluster(scope, { DRAIN_WILL_HOLD_SECONDS: 4 });
  const [ending, staying] = nodes;
  const witness = await Client.connect(scope, staying.url, { clientId: 'witness' });
  await witness.subscribe('wills/#', 1);
  const pair = [ending, staying] as const;
  const back = [0, 1].map((at) => new Nomad(scope, at, pair, { clean: true, properties: {} }));
  const kept = [2, 3].map((at) => new Nomad(scope, at, pair));
  const lost = [4, 5, 6].map(
    (at) => new Nomad(scope, at, pair, { reconnectPeriod: 0, clean: at === 4 }),
  );
  const all = [...back, ...kept, ...lost];
  await until(() => all.every(({ connects }) => connects === 1), DEADLINE_MS);

  const leftAtMs = performance.now();
  expect(await ending.child.stop()).toBe(0);
  await until(() => [...back, ...kept].every(({ connects }) => connects === 2), DEADLINE_MS);
  await witness.receives(lost.length, DEADLINE_MS);
  expect(performance.now() - leftAtMs).toBeGreaterThan(3_000);
  await witness.publish('wills/marker', 'the end');
  await witness.receives(lost.length + 1);
  expect(witness.received.map(({ topic }) => topic).toSorted()).toEqual(
    [...lost.map(({ id }) => `wills/${id}`), 'wills/marker'].toSorted(),
  );
});

it('the API drains a node, which serves again when that is stopped', async () => {
  const { nodes } = await startCluster(scope);
  const [drained, other] = nodes;
  const api = await Api.start(scope, drained.settings);
  const nomads = Array.from({ length: 40 }, (_, at) => new Nomad(scope, at, [drained, other]));
  await until(() => nomads.every(({ connects }) => connects === 1), DEADLINE_MS);
  const path = { node_id: drained.id };

  const body = { connections_per_second: 40, server_reference: 'other:1883' };
  expect((await api.call('startDrain', { path, body })).status).toBe(202);
  await until(async () => (await drained.ops.health('ready')) === 503, 1_000);
  expect((await api.call('startDrain', { path, body })).body).toMatchObject({ code: 'conflict' });
  await until(async () => {
    const { body: now } = await api.call('getDrain', { path });
    expect(now).toMatchObject({ state: 'drained', total: 40, gone: 40, remaining: 0 });
  }, DEADLINE_MS);
  await until(() => nomads.every(({ connects }) => connects === 2), DEADLINE_MS);
  expect(new Set(nomads.flatMap(({ reasons }) => reasons))).toEqual(new Set([0x9c]));
  const refused = new Client(scope, drained.url, { protocolVersion: 4, clientId: 'late' });
  await until(() => refused.closes > 0, DEADLINE_MS);
  expect(refused.isConnected).toBe(false);
  await until(async () => {
    const { body: node } = await api.call('getNode', { path });
    expect(node).toMatchObject({ state: 'draining' });
  }, DEADLINE_MS);

  expect((await api.call('stopDrain', { path })).status).toBe(204);
  await until(async () => (await drained.ops.health('ready')) === 200, DEADLINE_MS);
  await Client.connect(scope, drained.url, { clientId: 'again' });
});

it('a node in maintenance keeps its clients and is not ready', async () => {
  const { nodes } = await startCluster(scope);
  const api = await Api.start(scope, nodes[0].settings);
  const client = await Client.connect(scope, nodes[0].url, { clientId: 'stays' });
  const path = { node_id: nodes[0].id };
  await api.call('enterMaintenance', { path });
  await until(async () => (await nodes[0].ops.health('ready')) === 503, 1_000);
  expect((await api.call('getMaintenance', { path })).body).toMatchObject({ enabled: true });
  await client.publish('t', 'still served');
  await api.call('leaveMaintenance', { path });
  await until(async () => (await nodes[0].ops.health('ready')) === 200, DEADLINE_MS);
  expect(client.closes).toBe(0);
});

it('a rebalance brings the donor down to the mean, each client going once', async () => {
  const { nodes } = await startCluster(scope);
  const [donor, other] = nodes;
  const api = await Api.start(scope, donor.settings);
  const nomads = Array.from({ length: 90 }, (_, at) => new Nomad(scope, at, [donor, other]));
  await until(() => nomads.every(({ connects }) => connects === 1), DEADLINE_MS);
  const body = {
    ...{ absolute_threshold: 10, connections_per_second: 60 },
    ...{ wait_health_check_seconds: 1, wait_takeover_seconds: 1 },
  };
  const plan = await api.call('startRebalance', { body: { ...body, dry_run: true } });
  expect(plan.status).toBe(200);
  expect(plan.body).toMatchObject({ state: 'planned', goal: 30 });
  const begun = await api.call('startRebalance', { body });
  expect(begun.status).toBe(202);
  const { id } = begun.body as { id: string };
  await until(async () => (await donor.ops.health('ready')) === 503, 1_000);
  await until(async () => {
    const { body: now } = await api.call('getRebalance', { path: { rebalance_id: id } });
    expect(now).toMatchObject({ state: 'completed', nodes: [{ node: donor.id, gone: 60 }] });
  }, DEADLINE_MS);
  await until(() => nomads.filter(({ connects }) => connects === 2).length === 60, DEADLINE_MS);
  expect(nomads.every(({ closes }) => closes <= 1)).toBe(true);
  await until(async () => (await donor.ops.health('ready')) === 200, DEADLINE_MS);
});

it('a second signal ends a long drain at once, with exit code 0', async () => {
  const { nodes } = await startCluster(scope, { DRAIN_CONNECTIONS_PER_SECOND: 1 });
  const [ending, staying] = nodes;
  const nomads = Array.from({ length: 60 }, (_, at) => new Nomad(scope, at, [ending, staying]));
  await until(() => nomads.every(({ connects }) => connects === 1), DEADLINE_MS);
  const begunAtMs = performance.now();
  const first = ending.child.stop();
  await until(async () => (await ending.ops.health('ready')) === 503, 1_000);
  expect(await ending.child.stop()).toBe(0);
  expect(await first).toBe(0);
  expect(performance.now() - begunAtMs).toBeLessThan(20_000);
});
