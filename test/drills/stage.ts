import {
  freePort,
  kafkaServer,
  makeTopics,
  startWebhookServer,
  type KafkaServer,
  type RedisServer,
  type WebhookServer,
} from '#libs/testkit';
import kafkajs from 'kafkajs';
import { Api } from '../e2e/harness/api.ts';
import type { Settings } from '../e2e/harness/app.ts';
import { Broker } from '../e2e/harness/broker.ts';
import { openRedis } from '../e2e/harness/cluster.ts';
import type { Scope } from '../e2e/harness/scope.ts';
import { ListenerCertificate } from './certificate.ts';
import { Pager } from './pager.ts';
import { Prometheus } from './prometheus.ts';
import { DRILL_USER, Traffic } from './traffic.ts';

/** The key of an administrator. */
export const API_KEY = 'drill-key-of-a-test-0123456789';
const FORBIDDEN = [{ effect: 'deny', actions: ['publish'], topics: ['forbidden/#'] }];
const API_ASK_EVERY_MS = 1_000;

/** A process that Prometheus is to scrape. */
export interface Scraped {
  readonly pod: string;
  readonly port: number;
}

/** Starts a Prometheus that scrapes these processes, and an Alertmanager that tells the pager; gives the URL of the former. */
export type Observe = (scraped: {
  readonly nodes: readonly Scraped[];
  readonly apis: readonly Scraped[];
  readonly pagerUrl: string;
}) => Promise<string>;

/** A node whose TLS listener is at a port of its own. */
export type StageNode = Broker & { readonly tlsPort: number };

/** Three nodes with all their neighbours, under traffic, watched by a Prometheus. */
export interface Stage {
  readonly nodes: readonly [StageNode, StageNode, StageNode];
  readonly api: Api;
  readonly redis: RedisServer;
  readonly kafka: KafkaServer;
  /** What the bridge of webhooks posts to, and the webhooks of the API. */
  readonly hooked: WebhookServer;
  readonly traffic: Traffic;
  readonly prometheus: Prometheus;
  readonly pager: Pager;
  readonly certificate: ListenerCertificate;
}

/** What a stage has beyond what every stage has. */
export interface StageOptions {
  readonly observe: Observe;
  /** Settings of the nodes. */
  readonly settings?: Settings;
  /** Further rules of the bridge to Kafka. */
  readonly bridgeRules?: readonly object[];
}

/** Sets all of it up; the scope takes it down. */
export async function openStage(
  scope: Scope,
  { observe, settings = {}, bridgeRules = [] }: StageOptions,
): Promise<Stage> {
  const redis = await openRedis(scope);
  const kafka = await openKafka(scope);
  const hooked = await startWebhookServer();
  scope.add(() => hooked.stop());
  const certificate = await ListenerCertificate.make(scope);
  const common = {
    REDIS_URL: redis.url,
    AUTH_ANONYMOUS: 'false',
    AUTH_USERS: JSON.stringify([DRILL_USER]),
    AUTH_ITERATIONS: 4_096,
    ACL_DEFAULT: 'allow',
    ACL_RULES: JSON.stringify(FORBIDDEN),
    FLAPPING_CONNECTIONS_MAX: 0,
    BRIDGE_SPOOL_KIND: 'redis',
    ...bridgesTo(kafka, hooked, bridgeRules),
    ...settings,
  };
  const node = async (): Promise<StageNode> => {
    const tlsPort = await freePort();
    const broker = await Broker.prepare(scope, { ...common, ...certificate.settings(tlsPort) });
    return Object.assign(broker, { tlsPort });
  };
  const nodes = [await node(), await node(), await node()] as const;
  await Promise.all(nodes.map((each) => each.start()));
  const own = { REDIS_URL: redis.url, BRIDGES: common.BRIDGES, API_WEBHOOKS_ALLOW_PRIVATE: 'true' };
  const api = await Api.start(scope, own, API_KEY);
  const ports = nodes.map(({ port }) => port);
  const traffic = await Traffic.open(scope, ports);
  keepAsking(scope, api);
  const pager = await Pager.open(scope);
  const url = await observe({
    nodes: nodes.map(({ id, ops }) => ({ pod: id, port: ops.port })),
    apis: [{ pod: 'api', port: api.ops.port }],
    pagerUrl: pager.url,
  });
  const prometheus = new Prometheus(url);
  return { nodes, api, redis, kafka, hooked, traffic, prometheus, pager, certificate };
}

/** Bridges of two kinds, one of them both ways. */
function bridgesTo(kafka: KafkaServer, hooked: WebhookServer, more: readonly object[]) {
  const bridges = [
    { id: 'main', kind: 'kafka', brokers: [kafka.brokers] },
    { id: 'hook', kind: 'webhook', url: `http://127.0.0.1:${String(hooked.port)}/` },
  ];
  const both = { bridge: 'main', topic: 'telemetry' };
  const rules = [
    {
      ...{ ...both, id: 'telemetry', direction: 'mqtt-to-kafka', filter: 'telemetry/#' },
      ...{ ack: 'kafka', where: 'payload.t > 0' },
    },
    {
      ...{ ...both, id: 'commands', direction: 'kafka-to-mqtt' },
      ...{ mqttTopic: 'commands/${key}', qos: 1 },
    },
    {
      ...{ bridge: 'hook', id: 'hooked', direction: 'mqtt-to-webhook' },
      ...{ filter: 'telemetry/+', ack: 'spool' },
    },
  ];
  const all = [...rules, ...more.map((rule) => ({ bridge: 'main', ...rule }))];
  return { BRIDGES: JSON.stringify(bridges), BRIDGE_RULES: JSON.stringify(all) };
}

/** What a dashboard of an admin asks, and somebody without a key. */
function keepAsking(scope: Scope, api: Api): void {
  const asking = setInterval(() => {
    for (const id of ['listClients', 'listNodes'] as const) api.call(id).catch(() => undefined);
    fetch(`${api.origin}/api/v1/nodes`)
      .then((response) => response.body?.cancel())
      .catch(() => undefined);
  }, API_ASK_EVERY_MS);
  scope.add(() => clearInterval(asking));
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
