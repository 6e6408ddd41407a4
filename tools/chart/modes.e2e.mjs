// A node of each kind of Redis, started for real with what is rendered for it: what conformance.e2e.mjs does not run.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import mqtt from 'mqtt';
import { TestAuthority, startRedisCluster, startSentinels } from '#libs/testkit';
import { freePort, listening, until } from '../ports.mjs';
import { ProcessGroup } from '../process-group.mjs';
import { startRedis } from '../services.mjs';
import { ciFile, objectOf, podsOf, render } from './helm.mjs';
import { probeUrl, probed, startPod } from './local-pods.mjs';

const HOST = '127.0.0.1';
const CASE_MS = 180_000;

let directory;
let apps;
let servers;
let undo;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-modes-'));
  apps = new ProcessGroup();
  servers = new ProcessGroup();
  undo = [];
});

afterEach(async () => {
  await apps.stop();
  await servers.stop();
  for (const stop of undo) await stop();
  rmSync(directory, { recursive: true, force: true });
}, CASE_MS);

/** Starts a node as rendered, and waits as a kubelet would. */
async function startNode(objects, given = {}) {
  const { spec } = podsOf(objects).find((pod) => pod.spec.containers[0].name === 'broker');
  const place = { objects, directory: join(directory, 'node'), secrets: {} };
  const node = await startPod(apps, { name: 't-skein-broker-0', spec, ...place, ...given });
  for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'])
    await probed(node, probe);
  return node;
}

/** Passes a message from a client to itself. */
async function passes({ container, ports }) {
  const port = ports.get(container.ports.find(({ name }) => name === 'tcp').containerPort);
  const client = mqtt.connect(`mqtt://${HOST}:${port}`, { protocolVersion: 5, reconnectPeriod: 0 });
  try {
    await once(client, 'connect');
    await client.subscribeAsync('a/b', { qos: 1 });
    const came = once(client, 'message');
    await client.publishAsync('a/b', 'hello', { qos: 1 });
    return String((await came)[1]);
  } finally {
    await client.endAsync(true);
  }
}

const WITHOUT_PASSWORDS = { 'redis.existingSecret': '' };
const CASES = [
  {
    ci: 'redis-sentinel-tls',
    // TLS and a user with a password are what conformance.e2e.mjs has, with the values of production.
    set: {
      ...{ ...WITHOUT_PASSWORDS, 'redis.tls.enabled': false, 'redis.username': '' },
      'redis.sentinelExistingSecret': '',
    },
    prepare: async () => {
      const redis = await startSentinels();
      undo.push(() => redis.stop());
      return { redisHosts: redis.sentinels };
    },
  },
  {
    ci: 'redis-cluster',
    set: WITHOUT_PASSWORDS,
    prepare: async () => {
      const redis = await startRedisCluster();
      undo.push(() => redis.stop());
      return { redisHosts: redis.nodes };
    },
  },
  {
    ci: 'embedded-redis',
    // The Redis of the release, by its own command line.
    prepare: async (objects) => {
      const [{ command, args }] = objectOf(objects, 'StatefulSet', '-redis').spec.template.spec
        .containers;
      const redisPort = await freePort();
      const own = args.map((each) => (each === '/data' ? directory : each));
      const more = ['--bind', HOST, '--port', String(redisPort)];
      servers.start(command[0], [...own, ...more], { output: () => {} });
      await until('Redis', () => listening(redisPort), { deadlineMs: 20_000 });
      return { redisPort };
    },
  },
  { ci: 'single-node', prepare: () => Promise.resolve({}) },
];

describe('nodes of each kind of Redis, as rendered', () => {
  it.each(CASES)(
    '$ci: ready by its probes, and passes a message',
    async ({ ci, set = {}, prepare }) => {
      const objects = render({ files: [ciFile(ci)], set });
      const node = await startNode(objects, await prepare(objects));

      expect(await passes(node)).toBe('hello');
    },
    CASE_MS,
  );

  it(
    'kafka-sasl-tls: a Kafka that is away makes no node unready',
    async () => {
      const authority = await TestAuthority.create();
      undo.push(() => authority.remove());
      const objects = render({ ci: 'kafka-sasl-tls' });
      const redis = new URL(await startRedis(servers, join(directory, 'redis')));
      const ca = readFileSync(authority.caFile, 'utf8');
      const secrets = { 'kafka-ca': { 'ca.crt': ca }, 'skein-kafka': { password: 'of-a-test' } };
      const node = await startNode(objects, { redisPort: redis.port, secrets });
      const metrics = probeUrl(node, 'readinessProbe').replace('/healthz/ready', '/metrics');
      const text = await (await fetch(metrics)).text();

      expect(await passes(node)).toBe('hello');
      expect(text).toMatch(/^skein_bridge_connected\{[^}]*\} 0$/m);
      expect((await fetch(probeUrl(node, 'readinessProbe'))).status).toBe(200);
    },
    CASE_MS,
  );
});
