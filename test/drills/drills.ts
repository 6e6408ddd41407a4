import mqtt from 'mqtt';
import { Client } from '../e2e/harness/client.ts';
import type { Drill } from './drill.ts';
import { DRILL_USER } from './traffic.ts';

const BAD_LOGIN_EVERY_MS = 25;
const NEVER_MIND_SECONDS = 600;

const LOGIN = { username: DRILL_USER.name, password: DRILL_USER.password };

/** The fire drills of observability: what may happen to a cluster, and the alert that tells of it. */
export const DRILLS: readonly Drill[] = [
  {
    name: 'redis-gone',
    title: 'Redis is killed',
    alert: 'SkeinBrokerRedisUnavailable',
    begin: async ({ redis }) => {
      await redis.kill();
      return () => redis.restart();
    },
  },
  {
    name: 'kafka-gone',
    title: 'Kafka is killed',
    alert: 'SkeinBridgeDown',
    begin: async ({ kafka }) => {
      await kafka.run('kill', '1');
      return () => kafka.run('restart', '1');
    },
  },
  {
    name: 'bad-credentials',
    title: 'a wrong password is rolled out to a fleet',
    alert: 'SkeinBrokerAuthFailureSpike',
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
      return () => clearInterval(timer);
    },
  },
  {
    name: 'slow-consumer',
    title: 'a subscriber of everything takes nothing and acknowledges nothing',
    alert: 'SkeinBrokerDeliveriesDropped',
    settings: { LIMITS_QUEUE_MESSAGES_MAX: 100 },
    begin: async ({ nodes: [{ url }] }, scope) => {
      const slow = { ...LOGIN, clientId: 'slow', keepalive: NEVER_MIND_SECONDS };
      const client = await Client.connect(scope, url, slow);
      // Without a call of its callback nothing more is read.
      client.mqtt.handleMessage = () => undefined;
      client.mqtt.subscribe('drill/#', { qos: 1 });
      return () => client.mqtt.endAsync(true);
    },
  },
  {
    name: 'node-gone',
    title: 'one of three nodes is killed and stays away',
    alert: 'SkeinBrokerTargetDown',
    begin: async ({ nodes: [, , last] }) => {
      await last.kill();
      return () => last.start();
    },
  },
  {
    name: 'drain-stuck',
    title: 'a drain takes far too long',
    alert: 'SkeinBrokerDrainStuck',
    begin: async ({ api, nodes: [, , last] }) => {
      const path = { node_id: last.id };
      await api.call('startDrain', { path, body: { connections_per_second: 1 } });
      return () => api.call('stopDrain', { path });
    },
  },
  {
    name: 'certificate-ends',
    title: 'a listener gets a certificate that ends in a day',
    alert: 'SkeinBrokerCertificateExpiry',
    begin: async ({ certificate }) => {
      await certificate.renew(1);
      return () => certificate.renew();
    },
  },
];
