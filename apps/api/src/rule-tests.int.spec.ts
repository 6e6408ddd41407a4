import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { FakeNode } from '../../../test/api/fake-node.ts';
import { KEY, configOf, expectProblem, open, operate } from '../../../test/api/api-harness.ts';
import type { ApiProcess } from './api-process.ts';

const RULE = {
  id: 'new',
  bridge: 'main',
  direction: 'mqtt-to-kafka',
  filter: 'devices/#',
  where: 'payload.t > 30',
  value: 'payload.t',
  topic: 'telemetry',
};

const base64 = (bytes: string | Uint8Array): string => Buffer.from(bytes).toString('base64');

describe('dry runs of bridge rules', () => {
  let api: ApiProcess;
  let node: FakeNode;

  beforeAll(async () => {
    const config = await configOf({ SKEIN_API_KEY: KEY });
    node = new FakeNode('n1', config, ['n1']);
    await node.server.open();
    api = await open(config);
    const rule = { ...RULE, id: 'saved', key: 'k', partition: 'key', headers: {}, ack: 'none' };
    const stored = { ...rule, direction: 'mqtt-to-kafka', ack: 'none', enabled: true } as const;
    node.rules.set('saved', { source: 'api', revision: 1, rule: stored });
  });

  afterAll(async () => {
    await api.stop();
    await node.server.close();
  });

  const trySaved = (json: object, id = 'saved') =>
    operate(api, 'testBridgeRule', { path: `/api/v1/bridge-rules/${id}/tests`, json });

  it('shows the record that a saved rule would send', async () => {
    node.trials.set('saved', {
      kind: 'record',
      record: {
        target: 'telemetry',
        partition: 7,
        key: base64('press-7'),
        value: base64('{"t":31}'),
        headers: [
          ['up.a', base64('1')],
          ['up.a', base64('2')],
          ['correlation-data', '/w=='],
        ],
      },
    });
    const message = {
      ...{ topic: 'devices/7', payload: { t: 31 }, payload_encoding: 'json', qos: 1 },
      ...{ client_id: 'press-7', username: 'bob', properties: { correlation_data: '/w==' } },
    };
    const answer = await trySaved({ message });

    expect(answer).toMatchObject({ status: 200 });
    expect(answer.body).toEqual({
      matched: true,
      unmatched_by: null,
      record: {
        target: 'telemetry',
        routing_key: null,
        partition: { by: 'number', number: 7 },
        key: 'press-7',
        key_encoding: 'plain',
        headers: [
          { name: 'up.a', value: '1', value_encoding: 'plain' },
          { name: 'up.a', value: '2', value_encoding: 'plain' },
          { name: 'correlation-data', value: '/w==', value_encoding: 'base64' },
        ],
        value: { t: 31 },
        value_encoding: 'json',
        value_bytes: 8,
      },
      message: null,
      error: null,
    });
    expect(node.received).toContainEqual({
      kind: 'try-rule',
      rule: 'saved',
      sample: {
        kind: 'message',
        message: {
          ...{ topic: 'devices/7', payload: base64('{"t":31}'), qos: 1, retain: false },
          ...{ clientId: 'press-7', username: 'bob', properties: { correlationData: '/w==' } },
        },
      },
    });
  });

  it.each([
    ['{"t": 31}', '{"t": 31}', 'plain'],
    ['{"t":9007199254740993}', '{"t":9007199254740993}', 'plain'],
    ['warm', 'warm', 'plain'],
    ['31', 31, 'json'],
    [Uint8Array.of(0xff), '/w==', 'base64'],
  ])('shows a value as what loses nothing of it: %j', async (bytes, value, encoding) => {
    const record = { target: 't', key: '', value: base64(bytes), headers: [] };
    node.trials.set('saved', { kind: 'record', record });
    expect((await trySaved({ message: { topic: 't' } })).body).toMatchObject({
      record: { value, value_encoding: encoding, partition: null },
    });
  });

  it('shows the message that a rule to MQTT would publish', async () => {
    node.trials.set('saved', {
      kind: 'message',
      message: {
        ...{ topic: 'devices/d1', payload: base64('on'), qos: 1, retain: true },
        properties: { messageExpiryInterval: 60, contentType: 'text/plain' },
      },
    });
    const record = {
      ...{ key: 'd1', value: { a: 1 }, value_encoding: 'json', offset: '9007199254740993' },
      ...{ headers: [{ name: 'tag', value: 'x' }], timestamp: '1970-01-01T00:00:01Z' },
    };
    expect((await trySaved({ record })).body).toMatchObject({
      record: null,
      message: {
        ...{ topic: 'devices/d1', qos: 1, retain: true, value: 'on', value_encoding: 'plain' },
        properties: { message_expiry_interval: 60, content_type: 'text/plain' },
      },
    });
    expect(node.received).toContainEqual({
      kind: 'try-rule',
      rule: 'saved',
      sample: {
        kind: 'record',
        record: {
          ...{ partition: 0, offset: '9007199254740993', timestampMs: 1_000 },
          ...{ key: base64('d1'), value: base64('{"a":1}'), headers: [['tag', base64('x')]] },
        },
      },
    });
  });

  it('tries a rule that is not saved', async () => {
    node.trials.set('new', { kind: 'unmatched', by: 'where' });
    const json = { rule: RULE, message: { topic: 'devices/7' } };
    const answer = await operate(api, 'testUnsavedBridgeRule', { json });

    expect(answer).toMatchObject({ status: 200, body: { matched: false, unmatched_by: 'where' } });
    const received = node.received.find(
      (command) => command.kind === 'try-rule' && typeof command.rule !== 'string',
    );
    expect(received).toMatchObject({ rule: { ...RULE, key: '${clientId}', ack: 'spool' } });
  });

  it('tells the stage of what fails', async () => {
    const [detail, position] = ['a text and a number cannot be compared, at >', 11];
    const failure = { stage: 'where', code: 'EXPRESSION_FAILED', detail, position } as const;
    node.trials.set('saved', { kind: 'failed', ...failure });
    expect((await trySaved({ message: { topic: 't' } })).body).toMatchObject({
      matched: true,
      error: { stage: 'where', code: 'expression-failed', detail, position },
    });
  });

  it('refuses a rule that cannot work, and one that is not there', async () => {
    node.trials.set('new', { kind: 'invalid', detail: 'where, character 3: write payload.t' });
    const json = { rule: RULE, message: { topic: 't' } };
    const invalid = await operate(api, 'testUnsavedBridgeRule', { json });
    const absent = await trySaved({ message: { topic: 't' } }, 'none');

    expect(invalid).toMatchObject({ status: 422, body: { code: 'unprocessable' } });
    expect(invalid.body).toMatchObject({ detail: 'where, character 3: write payload.t' });
    expect(absent).toMatchObject({ status: 404, body: { code: 'not-found' } });
    expectProblem(invalid);
  });

  it.each([
    [{}, ''],
    [{ message: { topic: 't' }, record: {} }, ''],
    [{ message: { topic: '+' } }, '/message/topic'],
    [{ message: { topic: 't', payload: 1 } }, '/message/payload'],
    [{ record: { key: 'é', key_encoding: 'base64' } }, '/record/key'],
    [{ record: { offset: 7 } }, '/record/offset'],
    [{ message: { topic: 't', clientId: 'c' } }, '/message/clientId'],
  ])('refuses what is no sample, and says where: %j', async (json, pointer) => {
    const answer = await trySaved(json);
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
  });
});
