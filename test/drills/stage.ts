import {
  TestAuthority,
  kafkaServer,
  makeTopics,
  type KafkaServer,
  type RedisServer,
} from '#libs/testkit';
import kafkajs from 'kafkajs';
import { Api } from '../e2e/harness/api.ts';
import type { Settings } from '../e2e/harness/app.ts';
import { openRedis, startCluster, type Cluster } from '../e2e/harness/cluster.ts';
import type { Scope } from '../e2e/harness/scope.ts';
import { bridgeTo } from '../e2e/harness/kafka.ts';
import { Prometheus } from './prometheus.ts';
import { DRILL_USER, Traffic } from './traffic.ts';

const API_KEY = 'drill-key-of-a-test-0123456789';
const API_ASK_EVERY_MS = 500;
const DAY_MS = 86_400_000;

/** A process that Prometheus is to scrape. */
export interface Scraped {
  readonly pod: string;
  readonly port: number;
}

/** Starts a Prometheus that scrapes these processes; gives its URL. */
export type StartPrometheus = (scraped: {
  readonly nodes: readonly Scraped[];
  readonly apis: readonly Scraped[];
}) => Promise<string>;

/** Three nodes with all their neighbours, under traffic, watched by a Prometheus. */
export interface Stage {
  readonly nodes: Cluster['nodes'];
  readonly api: Api;
  readonly redis: RedisServer;
  readonly kafka: KafkaServer;
  readonly traffic: Traffic;
  readonly prometheus: Prometheus;
}

/** What a stage has beyond what every stage has. */
export interface StageOptions {
  readonly observe: StartPrometheus;
  /** Settings of the nodes. */
  readonly settings?: Settings;
  readonly bridgeRules?: readonly object[];
}

/** Sets all of it up; the scope takes it down. */
export async function openStage(
  scope: Scope,
  { observe, settings = {}, bridgeRules = [] }: StageOptions,
): Promise<Stage> {
  const redis = await openRedis(scope);
  const kafka = await openKafka(scope);
  const rules = [
    {
      id: 'telemetry',
      direction: 'mqtt-to-kafka',
      filter: 'telemetry/#',
      topic: 'telemetry',
      ack: 'kafka',
    },
    {
      id: 'commands',
      direction: 'kafka-to-mqtt',
      topic: 'telemetry',
      mqttTopic: 'commands/${key}',
      qos: 1,
    },
    ...bridgeRules,
  ];
  const { nodes } = await startCluster(scope, {
    REDIS_URL: redis.url,
    AUTH_ANONYMOUS: 'false',
    AUTH_USERS: JSON.stringify([DRILL_USER]),
    AUTH_ITERATIONS: 4_096,
    ACL_DEFAULT: 'allow',
    FLAPPING_CONNECTIONS_MAX: 0,
    ...bridgeTo(kafka.brokers, rules),
    ...(await tlsListener(scope)),
    ...settings,
  });
  const api = await Api.start(
    scope,
    { REDIS_URL: redis.url, BRIDGES: nodes[0].settings['BRIDGES'] ?? '' },
    API_KEY,
  );
  const traffic = await Traffic.open(
    scope,
    nodes.map(({ port }) => port),
  );
  const asking = setInterval(() => {
    for (const id of ['listClients', 'listNodes'] as const) api.call(id).catch(() => undefined);
    // Without a key it is refused.
    fetch(`${api.origin}/api/v1/nodes`).catch(() => undefined);
  }, API_ASK_EVERY_MS);
  scope.add(() => clearInterval(asking));
  const url = await observe({
    nodes: nodes.map(({ id, ops }) => ({ pod: id, port: ops.port })),
    apis: [{ pod: 'api', port: api.ops.port }],
  });
  return { nodes, api, redis, kafka, traffic, prometheus: new Prometheus(url) };
}

/** Settings of a listener whose certificate ends in so many days. */
export async function tlsListener(scope: Scope, days = 90): Promise<Settings> {
  const authority = await TestAuthority.create();
  scope.add(() => authority.remove());
  const end = new Date(Date.now() + days * DAY_MS).toISOString();
  const { certFile, keyFile } = await authority.issue({
    commonName: 'broker',
    names: 'IP:127.0.0.1',
    endDate: `${end.replaceAll(/[-:T]/g, '').slice(2, 14)}Z`,
  });
  return {
    LISTENERS_TLS_ENABLED: 'true',
    LISTENERS_TLS_PORT: 0,
    LISTENERS_TLS_TLS_CERT_FILE: certFile,
    LISTENERS_TLS_TLS_KEY_FILE: keyFile,
  };
}

async function openKafka(scope: Scope): Promise<KafkaServer> {
  const kafka = kafkaServer();
  scope.add(() => kafka.run('stop'));
  await kafka.run('start', '1');
  const logLevel = kafkajs.logLevel.NOTHING;
  const admin = new kafkajs.Kafka({
    clientId: 'drills',
    brokers: [kafka.brokers],
    logLevel,
  }).admin();
  await admin.connect();
  try {
    await makeTopics(admin, [{ topic: 'telemetry', numPartitions: 3 }]);
  } finally {
    await admin.disconnect();
  }
  return kafka;
}
