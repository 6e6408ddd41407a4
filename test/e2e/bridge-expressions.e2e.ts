import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { KafkaForTests, bridgeTo } from './harness/kafka.ts';
import { Scope } from './harness/scope.ts';

const START_MS = 300_000;
const WAIT_MS = 30_000;
const TOPIC = 'site/berlin/dev-7/telemetry';

jest.setTimeout(90_000);

/** The configuration that docs/expressions.md begins with, on topics of this run. */
function exampleOfPage(topics: Readonly<Record<string, string>>): string {
  const page = readFileSync(new URL('../../docs/expressions.md', import.meta.url), 'utf8');
  const example = /```yaml\n([^`]*)```/.exec(page)?.[1] ?? '';
  return Object.entries(topics).reduce(
    (text, [name, topic]) => text.replace(`  topic: ${name}\n`, `  topic: ${topic}\n`),
    example,
  );
}

describe('rules with expressions', () => {
  const scope = new Scope();
  let kafka: KafkaForTests;
  let node: Broker;
  let api: Api;
  let topics: { readonly heat: string; readonly commands: string };

  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'skein-expressions-'));
    scope.add(async () => rmSync(directory, { recursive: true, force: true }));
    kafka = await KafkaForTests.open(scope);
    topics = { heat: await kafka.topic('heat'), commands: await kafka.topic('approved') };
    const file = join(directory, 'skein.yaml');
    writeFileSync(file, exampleOfPage(topics));
    node = await Broker.start(scope, {
      BRIDGES: bridgeTo(kafka.brokers)['BRIDGES'] ?? '',
      BRIDGE_SPOOL_DIR: join(directory, 'spool'),
      CONFIG: file,
    });
    api = await Api.start(scope, node.settings);
  }, START_MS);
  afterAll(() => scope.close(), START_MS);

  const counted = (label: string): Promise<number> =>
    node.ops.metric('skein_bridge_records_total', label);

  it('bring what `where` lets pass into Kafka, as `value` gives it', async () => {
    const device = await Client.connect(scope, node.url, { clientId: 'dev-7', protocolVersion: 5 });
    await device.publish(TOPIC, '{"temperature":31}');
    await device.publish(TOPIC, '{"temperature":12}');
    await device.publish(TOPIC, '{"temperature":45.5}');
    await expect(device.publish(TOPIC, 'warm')).rejects.toMatchObject({ code: 0x83 });

    const values = (await kafka.read(scope, topics.heat, 2)).map((record) => {
      const [key, , value = ''] = record.split('|');
      return { key, ...(JSON.parse(value) as object) };
    });
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const made = { key: 'dev-7', device: 'dev-7', site: 'berlin', at };
    expect(values).toEqual([
      { ...made, t: 31 },
      { ...made, t: 45.5 },
    ]);
    await until(async () => expect(await counted('outcome="delivered"')).toBe(2), WAIT_MS);
    expect(await counted('outcome="filtered"')).toBe(1);
    expect(await counted('reason="where_error"')).toBe(1);
    const durations = 'skein_bridge_transform_duration_seconds_count';
    expect(await node.ops.metric(durations, 'rule="heat"')).toBe(4);
  });

  it('bring records of Kafka to devices in the same way', async () => {
    const device = await Client.connect(scope, node.url);
    await device.subscribe('devices/+/commands');
    const write = (...records: string[]) => kafka.write(scope, topics.commands, records);
    // A group without history begins where the topic ends when it joins.
    await until(async () => {
      await write('probe:{"state":"approved","command":"none"}');
      expect(device.received).not.toEqual([]);
    }, WAIT_MS);
    await write(
      'd1:{"state":"approved","command":"open"}',
      'd1:{"state":"denied","command":"shut"}',
      'd1:{"state":"approved","command":{"dim":40}}',
    );
    const wanted = () => device.received.filter(({ topic }) => topic === 'devices/d1/commands');
    await until(() => wanted().length === 2, WAIT_MS);
    expect(wanted().map(({ payload }) => payload)).toEqual(['open', '{"dim":40}']);
  });

  it('can be tried before: the dry run tells what comes', async () => {
    const tried = async (payload: string): Promise<unknown> => {
      const message = { topic: TOPIC, payload, client_id: 'dev-8' };
      const call = { path: { rule_id: 'heat' }, body: { message } };
      return (await api.call('testBridgeRule', call)).body;
    };
    expect(await tried('{"temperature":31}')).toMatchObject({
      matched: true,
      record: {
        target: topics.heat,
        partition: { by: 'key' },
        key: 'dev-8',
        value: { device: 'dev-8', site: 'berlin', t: 31 },
      },
    });
    expect(await tried('{"temperature":12}')).toMatchObject({
      matched: false,
      unmatched_by: 'where',
    });
    expect(await tried('warm')).toMatchObject({
      error: { stage: 'where', code: 'payload-not-json' },
    });
    const record = { key: 'd1', value: '{"state":"approved","command":"open"}' };
    const inbound = await api.call('testBridgeRule', {
      path: { rule_id: 'commands' },
      body: { record },
    });
    expect(inbound.body).toMatchObject({
      message: { topic: 'devices/d1/commands', qos: 1, value: 'open' },
    });
  });

  it('are refused, saved or tried, when they do not compile', async () => {
    const rule = {
      ...{ id: 'bad', bridge: 'main', direction: 'mqtt-to-kafka', filter: '#' },
      ...{ topic: topics.heat, where: 'temperature > 30' },
    };
    const message = { topic: 'a' };
    const detail = expect.stringMatching(
      /^where, character 11: messages have no temperature; write payload\.temperature/,
    );
    expect(await api.call('createBridgeRule', { body: rule })).toMatchObject({
      status: 422,
      body: { code: 'unprocessable', detail },
    });
    const tried = await api.call('testUnsavedBridgeRule', { body: { rule, message } });
    expect(tried).toMatchObject({ status: 422, body: { detail } });
  });
});
