import mqtt from 'mqtt';
import { Client } from '../e2e/harness/client.ts';
import type { Drill } from './drill.ts';
import { tlsListener } from './stage.ts';
import { DRILL_USER } from './traffic.ts';

const BAD_LOGIN_EVERY_MS = 25;

/** What clients feel of it, whatever the cause. */
const FELT = ['SkeinSloConnectBurn14_4x', 'SkeinSloDeliveryBurn14_4x', 'SkeinSloLatencyBurn14_4x'];

const LOGIN = { username: DRILL_USER.name, password: DRILL_USER.password };

/** The fire drills of observability: what may happen to a cluster, and the alert that tells of it. */
export const DRILLS: readonly Drill[] = [
  {
    name: 'redis-gone',
    title: 'Redis is killed',
    alert: 'SkeinBrokerRedisUnavailable',
    mayPage: FELT,
    begin: ({ redis }) => redis.kill(),
  },
  {
    name: 'kafka-gone',
    title: 'Kafka is killed',
    alert: 'SkeinBridgeDown',
    mayPage: ['SkeinSloBridgeBurn14_4x', 'SkeinBridgeDropping'],
    begin: ({ kafka }) => kafka.run('kill', '1'),
  },
  {
    name: 'bad-credentials',
    title: 'a wrong password is rolled out to a fleet',
    alert: 'SkeinBrokerAuthFailureSpike',
    mayPage: [],
    begin: async ({ nodes: [{ port }] }, scope) => {
      let logins = 0;
      const knock = (): void => {
        logins += 1;
        const client = mqtt.connect({
          ...{ host: '127.0.0.1', port, reconnectPeriod: 0, protocolVersion: 5 },
          ...{ ...LOGIN, clientId: `wrong-${String(logins)}`, password: 'wrong' },
        });
        client.on('error', () => client.end(true));
      };
      const timer = setInterval(knock, BAD_LOGIN_EVERY_MS);
      scope.add(() => clearInterval(timer));
    },
  },
  {
    name: 'slow-consumer',
    title:
      'a subscriber with a durable session stays away while it is sent more than its queue holds',
    alert: 'SkeinBrokerDeliveriesDropped',
    mayPage: [],
    settings: async () => ({ LIMITS_QUEUE_MESSAGES_MAX: 100 }),
    begin: async ({ nodes: [{ url }] }, scope) => {
      const properties = { sessionExpiryInterval: 600 };
      const away = { ...LOGIN, clientId: 'away', clean: false, properties };
      const client = await Client.connect(scope, url, away);
      await client.mqtt.subscribeAsync('drill/#', { qos: 1 });
      await client.mqtt.endAsync();
    },
  },
  {
    name: 'node-gone',
    title: 'one of three nodes is killed and stays away',
    alert: 'SkeinBrokerTargetDown',
    mayPage: [],
    begin: ({ nodes: [, , last] }) => last.kill(),
  },
  {
    name: 'drain-stuck',
    title: 'a drain does not end',
    alert: 'SkeinBrokerDrainStuck',
    mayPage: [],
    begin: async ({ api, nodes: [, , last] }) => {
      const path = { node_id: last.id };
      await api.call('startDrain', { path, body: { connections_per_second: 1 } });
    },
  },
  {
    name: 'certificate-ends',
    title: 'the certificate of a listener ends in a day',
    alert: 'SkeinBrokerCertificateExpiry',
    mayPage: [],
    settings: (scope) => tlsListener(scope, 1),
    begin: async () => undefined,
  },
];
