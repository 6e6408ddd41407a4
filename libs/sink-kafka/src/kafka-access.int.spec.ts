import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import kafkajs from 'kafkajs';
import type { Sink } from '#libs/bridge';
import type {
  BridgeTestStep,
  KafkaConnector,
  KafkaSasl,
  KafkaTls,
  SecretReference,
} from '#libs/broker-ports';
import {
  type Certificates,
  makeCertificates,
  makeTopics,
  RecordingLog,
  type SecureKafka,
  startSecureKafka,
  until,
} from '#libs/testkit';
import { kafkaSinks } from './index.ts';

const START_MS = 300_000;
const WAIT_MS = 30_000;
const CASE_MS = 90_000;
const TOPIC = 'guarded';
const PASSWORD = 'planted-password';

const secrets = new Map<string, string>();
const log = new RecordingLog();
let kafka: SecureKafka;
let strangers: Certificates;
let opened: Sink[] = [];

beforeAll(async () => {
  [kafka, strangers] = await Promise.all([
    startSecureKafka(PASSWORD),
    makeCertificates('kafka.test'),
  ]);
  await kafka.user('sensor', PASSWORD);
  const logLevel = kafkajs.logLevel.NOTHING;
  const admin = new kafkajs.Kafka({ brokers: [kafka.open], clientId: 'spec', logLevel }).admin();
  await admin.connect();
  await makeTopics(admin, [{ topic: TOPIC, numPartitions: 1 }]);
  await admin.disconnect();
}, START_MS);

afterEach(async () => {
  await Promise.all(opened.map((sink) => sink.close()));
  opened = [];
});

afterAll(async () => {
  await Promise.all([kafka.destroy(), strangers.remove()]);
}, START_MS);

function readSecret(reference: SecretReference): string {
  const name = 'env' in reference ? reference.env : reference.file;
  const secret = secrets.get(name);
  if (secret === undefined) throw new Error(`the variable ${name} is not set`);
  return secret;
}

function sinkWith(access: Pick<KafkaConnector, 'tls' | 'sasl'>, broker = kafka.login): Sink {
  const connector: KafkaConnector = {
    ...{ id: 'main', kind: 'kafka', brokers: [broker], clientId: 'skein', compression: 'none' },
    ...access,
  };
  const sink = kafkaSinks('n1', readSecret).open(connector, { id: 'rule' }, log);
  opened.push(sink);
  return sink;
}

const trusted = (): KafkaTls => ({
  caFile: kafka.certificates.caFile,
  serverName: kafka.certificates.serverName,
});

const scram = (name = 'PASSWORD', username = 'sensor'): KafkaSasl => ({
  mechanism: 'scram-sha-512',
  username,
  password: { env: name },
});

/** Sends a record; resolves with the lanes that have it. */
function send(sink: Sink): Promise<readonly number[]> {
  const record = { target: TOPIC, key: Buffer.from('k'), value: Buffer.from('v'), headers: {} };
  return sink.send(TOPIC, 0, [{ ...record, timestampMs: Date.now() }]);
}

/** An unsigned token, which Kafka takes unless it is told better. */
function tokenUntil(expiresAt: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1_000);
  return `${part({ alg: 'none' })}.${part({ sub: 'sensor', iat: now - 60, exp: expiresAt })}.`;
}

describe('a login over TLS', () => {
  it.each<[string, KafkaSasl]>([
    ['plain', { mechanism: 'plain', username: 'device', password: { env: 'PASSWORD' } }],
    [
      'scram-sha-256',
      { mechanism: 'scram-sha-256', username: 'sensor', password: { env: 'PASSWORD' } },
    ],
    ['scram-sha-512', scram()],
    ['oauthbearer', { mechanism: 'oauthbearer', token: { env: 'TOKEN' } }],
  ])(
    'is let in with %s, and stores',
    async (_, sasl) => {
      secrets.set('PASSWORD', PASSWORD);
      secrets.set('TOKEN', tokenUntil(Math.floor(Date.now() / 1_000) + 3_600));
      const sink = sinkWith({ tls: trusted(), sasl });
      await sink.ping();
      expect(await send(sink)).toEqual([0]);
    },
    CASE_MS,
  );

  it.each<[string, KafkaSasl]>([
    ['plain', { mechanism: 'plain', username: 'device', password: { env: 'WRONG' } }],
    ['scram-sha-512', scram('WRONG')],
    ['oauthbearer', { mechanism: 'oauthbearer', token: { env: 'STALE' } }],
  ])(
    'is refused with a wrong secret of %s, and let in once it is right',
    async (_, sasl) => {
      const name = sasl.mechanism === 'oauthbearer' ? 'STALE' : 'WRONG';
      const right = sasl.mechanism === 'oauthbearer' ? tokenUntil(4_000_000_000) : PASSWORD;
      secrets.set(name, sasl.mechanism === 'oauthbearer' ? tokenUntil(1) : 'planted-mistake');
      const sink = sinkWith({ tls: trusted(), sasl });
      const refusal = { code: 'UNAVAILABLE', message: expect.stringMatching(/auth/i) };
      await expect(sink.ping()).rejects.toMatchObject(refusal);
      await expect(send(sink)).rejects.toMatchObject(refusal);
      secrets.set(name, right);
      await sink.ping();
      expect(await send(sink)).toEqual([0]);
    },
    CASE_MS,
  );

  it('says which setting names a secret that cannot be read', async () => {
    const sink = sinkWith({ tls: trusted(), sasl: scram('NOBODY_SET_THIS') });
    await expect(sink.ping()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'sasl.password: the variable NOBODY_SET_THIS is not set',
    });
  });

  it(
    'ends when the user is revoked, and begins again when it is not',
    async () => {
      await kafka.user('leaver', PASSWORD);
      secrets.set('PASSWORD', PASSWORD);
      const sink = sinkWith({ tls: trusted(), sasl: scram('PASSWORD', 'leaver') });
      expect(await send(sink)).toEqual([0]);
      await kafka.user('leaver');
      await until(
        () =>
          send(sink).then(
            () => false,
            (error: unknown) => /auth/i.test(String(error)),
          ),
        WAIT_MS,
      );
      await kafka.user('leaver', PASSWORD);
      await until(
        () =>
          send(sink).then(
            () => true,
            () => false,
          ),
        WAIT_MS,
      );
    },
    CASE_MS,
  );
});

describe('TLS', () => {
  it.each<[string, () => KafkaTls, RegExp]>([
    ['an unknown authority', () => ({ ...trusted(), caFile: strangers.caFile }), /certificate/],
    ['another name', () => ({ ...trusted(), serverName: 'other.test' }), /altnames/],
    ['the wrong file', () => ({ ...trusted(), caFile: '/none' }), /tls\.caFile.*cannot be read/],
  ])('refuses %s', async (_, tls, message) => {
    secrets.set('PASSWORD', PASSWORD);
    const sink = sinkWith({ tls: tls(), sasl: scram() });
    await expect(sink.ping()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(message),
    });
  });

  it('shows a certificate, and is refused without one or with a foreign one', async () => {
    const { certFile, keyFile } = kafka.certificates;
    const own = sinkWith({ tls: { ...trusted(), certFile, keyFile } }, kafka.certificate);
    await own.ping();
    expect(await send(own)).toEqual([0]);
    const foreign = { ...trusted(), certFile: strangers.certFile, keyFile: strangers.keyFile };
    for (const tls of [trusted(), foreign]) {
      const sink = sinkWith({ tls }, kafka.certificate);
      await expect(sink.ping()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    }
  });
});

it.each<[string, () => Sink, string, RegExp]>([
  ['everything', () => sinkWith({ tls: trusted(), sasl: scram() }), 'target ok', /1 partition/],
  [
    'an unknown authority',
    () => sinkWith({ tls: { ...trusted(), caFile: strangers.caFile }, sasl: scram() }),
    'tls failed',
    /certificate/,
  ],
  [
    'a wrong password',
    () => sinkWith({ tls: trusted(), sasl: scram('WRONG') }),
    'auth failed',
    /authentication failed/i,
  ],
])('a test tells %s', async (...[, open, last, detail]) => {
  secrets.set('PASSWORD', PASSWORD);
  secrets.set('WRONG', 'planted-mistake');
  const steps: BridgeTestStep[] = [];
  for await (const step of open().test({ target: TOPIC, withinMs: WAIT_MS })) steps.push(step);
  const end = steps.at(-1);
  expect(`${end?.step ?? ''} ${end?.ok === true ? 'ok' : 'failed'}`).toBe(last);
  expect(end?.detail).toMatch(detail);
  expect(JSON.stringify(steps)).not.toContain('planted');
});

it('leaves no secret in the log', () => {
  expect(log.lines.length).toBeGreaterThan(0);
  expect(JSON.stringify(log.lines)).not.toMatch(/planted|eyJ/);
});
