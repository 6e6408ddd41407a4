import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RuleBridge, SinkError, type Sink, type SinkRecord } from '#libs/bridge';
import type { BridgeRule, SecretReference, WebhookConnector } from '#libs/broker-ports';
import {
  clientSequences,
  countingMeter,
  makeCertificates,
  messageOf,
  offerLoad,
  silentLog,
  startWebhookServer,
  until,
  type WebhookServer,
} from '#libs/testkit';
import { webhookSinks } from './index.ts';

const WAIT_MS = 30_000;
const LOAD = { clients: 8, messages: 40 };
const SENT = Object.fromEntries(
  Array.from({ length: LOAD.clients }, (_, client) => [
    `c${client}`,
    Array.from({ length: LOAD.messages }, (__, number) => number),
  ]),
);

let server: WebhookServer;
let secrets: Record<string, string>;
let closing: (() => Promise<void>)[];

beforeEach(async () => {
  server = await startWebhookServer();
  secrets = {};
  closing = [() => server.stop()];
});

afterEach(async () => {
  for (const close of closing.toReversed()) await close();
});

function readSecret(reference: SecretReference): string {
  const secret = 'env' in reference ? secrets[reference.env] : undefined;
  if (secret === undefined) throw new Error('the variable is not set');
  return secret;
}

function connectorWith(changes: Partial<WebhookConnector> = {}): WebhookConnector {
  return {
    id: 'hook',
    kind: 'webhook',
    url: `http://127.0.0.1:${server.port}/hook`,
    headers: {},
    timeoutMs: 5_000,
    concurrency: 3,
    format: 'single',
    ...changes,
  };
}

function sinkWith(changes: Partial<WebhookConnector> = {}): Sink {
  const sink = webhookSinks(readSecret).open(connectorWith(changes), { id: 'rule' }, silentLog);
  closing.push(() => sink.close());
  return sink;
}

const RULE: BridgeRule = {
  id: 'telemetry',
  bridge: 'hook',
  direction: 'mqtt-to-webhook',
  enabled: true,
  filter: 'devices/+/telemetry',
  path: '/telemetry',
  key: '${clientId}',
  headers: { device: '${topic[1]}' },
  ack: 'webhook',
};

function bridgeWith(changes: Partial<WebhookConnector> = {}, ackTimeoutMs = 30_000): RuleBridge {
  const bridge = new RuleBridge({
    connectors: [connectorWith(changes)],
    sinks: [webhookSinks(readSecret)],
    sources: [],
    limits: {
      ackTimeoutMs,
      lingerMs: 2,
      batchRecordsMax: 50,
      batchBytesMax: 262_144,
      bufferBytesMax: 16 * 1_024 * 1_024,
    },
    inject: (_message, done) => done(),
    messageLimits: { topicLevelsMax: 8, packetBytesMax: 1_000, retainedMessageBytesMax: 1_000 },
    clock: { nowMs: Date.now, monotonicMs: Date.now },
    log: silentLog,
    meter: countingMeter().meter,
  });
  closing.push(() => bridge.close());
  return bridge;
}

function record(value: string): SinkRecord {
  return {
    target: '/',
    key: Buffer.from('k'),
    value: Buffer.from(value),
    headers: { 'mqtt-msg-id': `n1-1-${value}` },
    timestampMs: Date.now(),
  };
}

const bodies = (): string[] => server.stored.map(({ body }) => String(body));

/** The payloads of stored requests of any format. */
const payloads = (): string[] =>
  server.stored.flatMap(({ headers, body }) =>
    headers['content-type']?.[0] === 'application/json'
      ? (JSON.parse(String(body)) as { payload: string }[]).map(({ payload }) => payload)
      : [String(body)],
  );

async function refusalOf(call: Promise<unknown>): Promise<SinkError> {
  const error: unknown = await call.catch((refusal: unknown) => refusal);
  if (error instanceof SinkError) return error;
  throw new Error('it was not refused');
}

describe('WebhookSink', () => {
  it('names rule and message, once for each request', async () => {
    const keys = (): unknown[] =>
      server.stored.map(({ headers }) => headers['idempotency-key']?.join());
    await sinkWith().send('/', 0, [record('1'), record('2')]);
    expect(keys()).toEqual(['rule/n1-1-1', 'rule/n1-1-2']);
    await sinkWith({ format: 'json' }).send('/', 0, [record('3'), record('4')]);
    expect(keys().slice(2)).toEqual(['rule/n1-1-3..n1-1-4']);
  });

  it('keeps a secret in its place, and reads it again when it is refused', async () => {
    secrets = { URL: `http://127.0.0.1:${server.port}/secret`, TOKEN: 'old' };
    server.refuse = ({ headers }) => (headers.authorization === 'new' ? undefined : 401);
    const sink = sinkWith({ url: { env: 'URL' }, headers: { Authorization: { env: 'TOKEN' } } });
    expect((await refusalOf(sink.send('/', 0, [record('1')]))).code).toBe('NOT_AUTHORIZED');
    secrets['TOKEN'] = 'new';
    await sink.send('/', 0, [record('2')]);
    expect(server.stored.map(({ path }) => path)).toEqual(['/secret']);
    delete secrets['TOKEN'];
    const other = sinkWith({ headers: { Authorization: { env: 'TOKEN' } } });
    expect(await refusalOf(other.ping())).toMatchObject({
      code: 'UNAVAILABLE',
      message: 'the variable is not set',
    });
  });

  it('leaves an endpoint alone for as long as it asks', async () => {
    const sink = sinkWith();
    server.answer = () => ({ status: 429, headers: { 'retry-after': '120' } });
    const refusal = await refusalOf(sink.send('/', 0, [record('1')]));
    expect(refusal).toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 120_000 });
    const again = await refusalOf(sink.send('/', 1, [record('2')]));
    expect(again.retryAfterMs).toBeGreaterThan(100_000);
    expect(server.posts).toBe(1);
    expect((await refusalOf(sink.ping())).code).toBe('UNAVAILABLE');
  });

  it('follows no redirect', async () => {
    const elsewhere = await startWebhookServer();
    closing.push(() => elsewhere.stop());
    const location = `http://127.0.0.1:${elsewhere.port}/`;
    server.answer = () => ({ status: 307, headers: { location } });
    const refusal = await refusalOf(sinkWith().send('/', 0, [record('1')]));
    expect(refusal.code).toBe('UNKNOWN_TARGET');
    expect(elsewhere.posts).toBe(0);
  });

  it('tells which records are refused, and posts none of the others twice', async () => {
    const sink = sinkWith();
    const batch = ['1', 'bad', '2', '3'].map(record);
    let failed = false;
    server.answer = ({ body }) => {
      if (String(body) === 'bad') return { status: 422 };
      const fails = String(body) === '3' && !failed;
      failed ||= fails;
      return { status: fails ? 500 : 200 };
    };
    expect((await refusalOf(sink.send('/', 0, batch))).code).toBe('UNAVAILABLE');
    const refusal = await refusalOf(sink.send('/', 0, batch));
    expect(refusal.code).toBe('REJECTED');
    expect([...(refusal.refused?.keys() ?? [])]).toEqual([batch[1]]);
    expect(bodies()).toEqual(['1', '2', '3']);
  });

  it('trusts the authorities that it is given, and no others', async () => {
    const { cert, key, caFile } = await makeCertificates('localhost');
    closing.push(() => rm(dirname(caFile), { recursive: true }));
    const secure = await startWebhookServer({ cert, key });
    closing.push(() => secure.stop());
    const url = `https://localhost:${secure.port}/`;
    await sinkWith({ url, caFile }).send('/', 0, [record('1')]);
    expect(secure.stored).toHaveLength(1);
    const refusal = await refusalOf(sinkWith({ url }).send('/', 0, [record('2')]));
    expect(refusal).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('certificate'),
    });
    expect(secure.posts).toBe(1);
  });
});

describe('RuleBridge with a webhook', () => {
  it('posts a message as its rule says', async () => {
    const bridge = bridgeWith();
    bridge.apply([RULE]);
    await offerLoad(bridge, { clients: 1, messages: 1 });
    const [request] = server.stored;
    expect(request?.path).toBe('/hook/telemetry');
    expect(request?.headers).toMatchObject({
      'mqtt-topic': ['devices/c0/telemetry'],
      'mqtt-client-id': ['c0'],
      device: ['c0'],
      'idempotency-key': [expect.stringMatching(/^telemetry\/node-a-\d+-\d+$/)],
    });
    expect(bodies()).toEqual(['c0/0']);
  });

  it.each(['single', 'json'] as const)(
    'loses and reorders nothing, whatever the endpoint does (%s)',
    async (format) => {
      const bridge = bridgeWith({ format, timeoutMs: 300 });
      let turn = 0;
      const faults = [{ status: 500 }, 'hang', 'drop', 'keep-and-drop', { status: 429 }] as const;
      server.answer = () => {
        turn += 1;
        // Every fourth POST meets the next fault.
        return (
          (turn % 4 === 0 && turn <= 80 && faults[(turn / 4) % faults.length]) || { status: 200 }
        );
      };
      bridge.apply([RULE]);
      await offerLoad(bridge, LOAD);
      expect(clientSequences(payloads())).toEqual(SENT);
    },
    2 * WAIT_MS,
  );

  it('posts what the endpoint refuses to the path of dead letters, and acknowledges that', async () => {
    const bridge = bridgeWith();
    server.answer = ({ path, body }) => {
      const isRefused = path === '/hook/telemetry' && String(body) === 'c0/1';
      return { status: isRefused ? 422 : 204 };
    };
    bridge.apply([{ ...RULE, deadLetterPath: '/dead' }]);
    await offerLoad(bridge, { clients: 1, messages: 3 });
    const letters = server.stored.filter(({ path }) => path === '/hook/dead');
    expect(letters.map(({ body }) => String(body))).toEqual(['c0/1']);
    expect(letters[0]?.headers).toMatchObject({
      'mqtt-topic': ['devices/c0/telemetry'],
      'skein-rule': ['telemetry'],
      'skein-error': ['the endpoint answered 422'],
      'skein-error-stage': ['produce'],
      'skein-error-reason': ['other'],
      'skein-target': ['/telemetry'],
      'idempotency-key': [expect.stringMatching(/^telemetry\/node-a-\d+-\d+\/dead-letter$/)],
    });
    expect(server.stored).toHaveLength(3);
  });

  it(
    'loses and reorders nothing while the endpoint is away, and says so',
    async () => {
      const bridge = bridgeWith({ format: 'json' });
      bridge.apply([RULE]);
      const offered = offerLoad(bridge, LOAD);
      await until(() => server.posts > 5, WAIT_MS);
      await server.stop();
      await until(() => bridge.status()[0]?.state === 'degraded', WAIT_MS);
      await server.start();
      await offered;
      expect(clientSequences(payloads())).toEqual(SENT);
      // A probe that was under way may tell late that nobody was there.
      await until(() => bridge.status()[0]?.state === 'running', WAIT_MS);
    },
    2 * WAIT_MS,
  );

  it('refuses what the endpoint refuses, and nothing else', async () => {
    const bridge = bridgeWith();
    server.answer = ({ body }) => ({ status: String(body) === 'bad' ? 400 : 200 });
    bridge.apply([RULE]);
    const answers: string[] = [];
    for (const payload of ['1', 'bad', '2']) {
      const topic = 'devices/d/telemetry';
      const message = messageOf({
        topic,
        payload: Buffer.from(payload),
        receivedAtMs: Date.now(),
      });
      bridge.offer(message, (error) => answers.push(`${payload}: ${error?.code ?? 'ok'}`));
    }
    await until(() => answers.length === 3, WAIT_MS);
    expect(answers.toSorted()).toEqual(['1: ok', '2: ok', 'bad: BRIDGE_UNAVAILABLE']);
    expect(bodies()).toEqual(['1', '2']);
  });

  it('stays degraded while posts fail, also when the endpoint answers otherwise', async () => {
    const bridge = bridgeWith({}, 500);
    server.answer = () => ({ status: 500 });
    bridge.apply([RULE]);
    const refused = await offerLoad(bridge, { clients: 1, messages: 1 }).catch(
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({ code: 'BRIDGE_UNAVAILABLE' });
    const posts = server.posts;
    await until(() => server.posts >= posts + 2, WAIT_MS);
    expect(bridge.status()[0]).toMatchObject({
      state: 'degraded',
      lastError: 'the endpoint answered 500',
    });
  });
});
