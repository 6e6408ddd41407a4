// Rendered pods, run for real: what a cluster would do with them, as far as processes of one machine can show it.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import mqtt from 'mqtt';
import { stringify } from 'yaml';
import { freePort, until } from '../ports.mjs';
import { ProcessGroup } from '../process-group.mjs';
import { startRedis } from '../services.mjs';
import { TestAuthority } from '#libs/testkit';
import { NAMESPACE, ciFile, objectOf, podsOf, render } from './helm.mjs';
import { jobOf, probeUrl, probed, startPod, statusOf } from './local-pods.mjs';
import { writePod } from './pod-files.mjs';

const HOST = '127.0.0.1';
const CLIENTS = 50;
const CASE_MS = 360_000;
const root = fileURLToPath(new URL('../..', import.meta.url));
/** What monitors and rules need besides a file of values; scrapes come soon enough for a test. */
const MONITORED = {
  'monitoring.podMonitor': { enabled: true, interval: '2s', scrapeTimeout: '2s' },
  'monitoring.serviceMonitor': { enabled: true, interval: '2s', scrapeTimeout: '2s' },
  'monitoring.prometheusRule.enabled': true,
};

let directory;
let apps;
let servers;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-conformance-'));
  apps = new ProcessGroup();
  servers = new ProcessGroup();
});

afterEach(async () => {
  await apps.stop();
  await servers.stop();
  rmSync(directory, { recursive: true, force: true });
}, CASE_MS);

/** Tells how long a step took. */
async function timed(title, work) {
  const since = performance.now();
  const result = await work();
  process.stdout.write(`  ${title}: ${((performance.now() - since) / 1_000).toFixed(1)} s\n`);
  return result;
}

const portOf = ({ container, ports }, name) =>
  ports.get(container.ports.find((port) => port.name === name).containerPort);

/** Starts two nodes and an API; resolves when their rendered probes say so. */
async function startAll(objects, { redisPort, secrets = {} }) {
  const templates = podsOf(objects);
  const templateOf = (component) =>
    templates.find(({ spec }) => spec.containers[0].name === component).spec;
  const start = (name, component) =>
    startPod(apps, {
      ...{ name, spec: templateOf(component), objects, directory: join(directory, name) },
      ...{ redisPort, secrets },
    });
  const nodes = [
    await start('t-skein-broker-0', 'broker'),
    await start('t-skein-broker-1', 'broker'),
  ];
  const api = await start('t-skein-api-0', 'api');
  for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
    await Promise.all([...nodes, api].map((pod) => probed(pod, probe)));
  }
  return { nodes, api };
}

/** Has a Prometheus scrape as the monitors say and read the rules; resolves with what it found. */
async function observe(objects, { nodes, api }) {
  const place = join(directory, 'prometheus');
  mkdirSync(place);
  const rules = join(place, 'rules.yaml');
  writeFileSync(rules, stringify({ groups: objectOf(objects, 'PrometheusRule').spec.groups }));
  const file = join(place, 'prometheus.yml');
  const jobs = [
    jobOf(objectOf(objects, 'PodMonitor'), nodes, NAMESPACE),
    jobOf(objectOf(objects, 'ServiceMonitor'), [api], NAMESPACE),
  ];
  writeFileSync(
    file,
    stringify({ global: { evaluation_interval: '2s' }, rule_files: [rules], scrape_configs: jobs }),
  );
  const url = `http://${HOST}:${await freePort()}`;
  servers.start(
    'prometheus',
    [
      ...[`--config.file=${file}`, `--storage.tsdb.path=${join(place, 'data')}`],
      ...[`--web.listen-address=${new URL(url).host}`, '--log.level=error'],
    ],
    { output: (line) => process.stdout.write(`prometheus | ${line}\n`) },
  );
  const ask = async (path) => (await (await fetch(`${url}/api/v1/${path}`)).json()).data;
  const isSeen = async () => {
    const { activeTargets } = await ask('targets').catch(() => ({ activeTargets: [] }));
    const { groups } = await ask('rules').catch(() => ({ groups: [] }));
    const all = groups.flatMap((group) => group.rules);
    return (
      activeTargets.length === 3 &&
      activeTargets.every(({ health }) => health === 'up') &&
      all.length > 0 &&
      all.every(({ health }) => health !== 'unknown')
    );
  };
  await until('every target and every rule', isSeen, { deadlineMs: 120_000 });
  const { activeTargets } = await ask('targets');
  const { groups } = await ask('rules');
  return { targets: activeTargets, rules: groups.flatMap((group) => group.rules) };
}

/** Runs the command of `helm test` against the processes; resolves with its exit code and what it says. */
async function helmTest(objects, { nodes, api, secrets = {} }) {
  const { spec } = objectOf(objects, 'Pod', '-test');
  const place = join(directory, 'test');
  const { lead } = writePod({ spec, objects, secrets, directory: place });
  const [{ command, env }] = spec.containers;
  const plan = JSON.parse(env.find(({ name }) => name === 'CHECK_PLAN').value);
  const atHome = plan.listeners.map((one) => {
    return { ...one, host: HOST, port: portOf(nodes[0], one.name) };
  });
  const urls = plan.urls.map((text) => {
    const url = new URL(text);
    return `http://${HOST}:${api.ports.get(Number(url.port))}${url.pathname}`;
  });
  const isPlain = plan.listeners.some(({ name }) => name === 'tcp');
  const own = isPlain ? nodes.map((node) => ({ host: HOST, port: portOf(node, 'tcp') })) : [];
  const led = env.filter(({ name }) => name !== 'CHECK_PLAN');
  const lines = [];
  const { ended } = apps.start(process.execPath, command.slice(1).map(lead), {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      ...Object.fromEntries(led.map(({ name, value }) => [name, lead(value)])),
      CHECK_PLAN: JSON.stringify({ ...plan, listeners: atHome, nodes: own, urls }),
    },
    output: (line) => lines.push(line),
  });
  return { code: await ended, lines };
}

/** Runs what is run before `helm uninstall`; resolves with what it says. */
async function beforeUninstall(objects, { api, secrets }) {
  const { spec } = objectOf(objects, 'Job', '-uninstall').spec.template;
  const { lead } = writePod({ spec, objects, secrets, directory: join(directory, 'uninstall') });
  const [{ command, env }] = spec.containers;
  const given = Object.fromEntries(env.map(({ name, value }) => [name, lead(value)]));
  const { port } = new URL(given.SKIP_SERVER);
  const lines = [];
  const { ended } = apps.start(process.execPath, command.slice(1).map(lead), {
    env: { ...given, SKIP_SERVER: `http://${HOST}:${api.ports.get(Number(port))}` },
    output: (line) => lines.push(line),
  });
  return { code: await ended, said: lines.join('\n') };
}

/** Ends a node as Kubernetes would, with clients at it; resolves with its exit code and how long it took. */
async function endNode(node, { listener = 'tcp', isAtOnce = false, ...login } = {}) {
  const scheme = listener === 'tcp' ? 'mqtt' : 'mqtts';
  const optionsOf = (index) => ({
    ...{ reconnectPeriod: 0, protocolVersion: 5, clientId: `backend:${index}` },
    ...login,
  });
  const clients = Array.from({ length: CLIENTS }, (_, index) =>
    mqtt.connect(`${scheme}://${HOST}:${portOf(node, listener)}`, optionsOf(index)),
  );
  await Promise.all(clients.map((client) => once(client, 'connect')));
  const reasons = [];
  for (const client of clients) {
    client.on('disconnect', ({ reasonCode }) => reasons.push(reasonCode));
    client.on('error', () => {});
  }
  const since = performance.now();
  // The kubelet carries this action out itself: it does no more than wait.
  await delay(node.container.lifecycle.preStop.sleep.seconds * 1_000);
  expect(clients.filter(({ connected }) => connected)).toHaveLength(CLIENTS);
  node.child.kill('SIGTERM');
  const asked = performance.now();
  await until(
    'the readiness probe sees the drain',
    async () => {
      const status = await statusOf(probeUrl(node, 'readinessProbe'));
      return status === 503 || (isAtOnce && status === undefined);
    },
    { deadlineMs: 2_000, pauseMs: 20 },
  );
  const code = await node.ended;
  for (const client of clients) client.end(true);
  const [seconds, afterSignal] = [since, asked].map((from) => (performance.now() - from) / 1_000);
  return { code, reasons, seconds, afterSignal };
}

/** Has the node that is left told to end without a drain, as before an uninstall, and ends it. */
async function uninstall(objects, { nodes, client, reason, ...more }) {
  const { code, said } = await beforeUninstall(objects, more);
  expect(code).toBe(0);
  expect(JSON.parse(said).nodes).toEqual([{ node: nodes[1].name, until: expect.any(String) }]);
  const end = await endNode(nodes[1], { ...client, isAtOnce: true });
  expect(end).toMatchObject({ code: 0, reasons: Array(CLIENTS).fill(reason) });
  expect(end.afterSignal).toBeLessThan(5);
}

/** A Redis without TLS, and nothing secret. */
async function plainly() {
  const redis = new URL(await startRedis(servers, join(directory, 'redis')));
  return { redisPort: redis.port, secrets: {}, client: {}, reason: 0x8b, checks: 7 };
}

/** The Secrets that the values `production` name, and a Redis with TLS and a user that has its password from one of them. */
async function secured() {
  const authority = await TestAuthority.create();
  try {
    const names = `DNS:mqtt.example.org,IP:${HOST}`;
    const files = await authority.issue({ commonName: 'mqtt.example.org', names });
    const list = authority.path('ca.crl');
    await authority.crl(list);
    const [ca, cert, key, crl] = [authority.caFile, files.certFile, files.keyFile, list].map(
      (file) => readFileSync(file, 'utf8'),
    );
    const [redis, backend] = [randomUUID(), randomUUID()];
    const redisPort = await freePort();
    const place = join(directory, 'redis');
    mkdirSync(place);
    for (const [name, text] of Object.entries({ ca, cert, key }))
      writeFileSync(join(place, name), text);
    const tls = ['ca-cert', 'cert', 'key'].flatMap((kind) => [
      `--tls-${kind}-file`,
      join(place, kind.replace('-cert', '')),
    ]);
    servers.start(
      'redis-server',
      [
        ...['--bind', HOST, '--port', '0', '--tls-port', String(redisPort), ...tls],
        ...['--tls-auth-clients', 'no', '--appendonly', 'yes', '--dir', place],
        ...['--user', 'skein', 'on', `>${redis}`, '~*', '&*', '+@all'],
      ],
      { output: () => {} },
    );
    const secrets = {
      'skein-redis': { password: redis },
      'redis-ca': { 'ca.crt': ca },
      'skein-certificate': { 'tls.crt': cert, 'tls.key': key, 'ca.crt': ca },
      'devices-ca': { 'ca.crt': ca, 'ca.crl': crl },
      'skein-tickets': { secret: randomUUID() },
      'skein-users': { backend },
      'skein-api': { 'api-key': randomUUID() },
      'skein-test': { username: 'backend', password: backend },
    };
    const login = { username: 'backend', password: backend };
    const client = { listener: 'tls', ca, servername: 'mqtt.example.org', ...login };
    return { redisPort, secrets, client, reason: 0x9c, checks: 6 };
  } finally {
    await authority.remove();
  }
}

const CASES = [
  { ci: 'minimal', prepare: plainly },
  { ci: 'statefulset', prepare: plainly },
  // One Redis has no replica to wait for.
  {
    ...{ ci: 'production', prepare: secured },
    set: { 'redis.config.waitReplicas': 0, 'drain.onUninstall': false },
  },
];

describe.each(CASES)('conformance: $ci', ({ ci, prepare, set = {} }) => {
  it(
    'starts, is probed, scraped and tested, and ends within its grace, as rendered',
    async () => {
      const objects = render({ files: [ciFile(ci)], set: { ...MONITORED, ...set } });
      const { client, reason, checks, ...given } = await prepare();
      const pods = await timed(`${ci}: probes green`, () => startAll(objects, given));
      const tested = await timed(`${ci}: helm test`, () =>
        helmTest(objects, { ...pods, secrets: given.secrets }),
      );
      expect(tested).toMatchObject({ code: 0 });
      expect(tested.lines.filter((line) => line.startsWith('ok'))).toHaveLength(checks);

      const { targets, rules } = await timed(`${ci}: scraped, rules evaluated`, () =>
        observe(objects, pods),
      );
      expect(targets.map(({ labels }) => labels.job).toSorted()).toEqual([
        'skein-api',
        'skein-broker',
        'skein-broker',
      ]);
      expect(
        rules
          .filter(({ health }) => health !== 'ok')
          .map(({ name, lastError }) => [name, lastError]),
      ).toEqual([]);
      expect(rules.filter(({ state }) => state === 'firing').map(({ name }) => name)).toEqual([]);

      const [node] = pods.nodes;
      const { terminationGracePeriodSeconds } = podsOf(objects).find(
        ({ spec }) => spec.containers[0].name === 'broker',
      ).spec;
      const { code, reasons, seconds } = await timed(`${ci}: pre-stop and drain`, () =>
        endNode(node, client),
      );
      expect({ code, reasons }).toEqual({ code: 0, reasons: Array(CLIENTS).fill(reason) });
      expect(seconds).toBeLessThan(terminationGracePeriodSeconds);
      expect(await statusOf(probeUrl(pods.nodes[1], 'readinessProbe'))).toBe(200);
      if (set['drain.onUninstall'] === false)
        await timed(`${ci}: hook before an uninstall, and the end`, () =>
          uninstall(objects, { ...pods, secrets: given.secrets, client, reason }),
        );
    },
    CASE_MS,
  );
});
