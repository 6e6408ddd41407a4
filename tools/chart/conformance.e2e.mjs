// Rendered pods, run for real: what a cluster would do with them, as far as processes of one machine can show it.
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
  console.log(`${title}: ${((performance.now() - since) / 1_000).toFixed(1)} s`);
  return result;
}

const portOf = ({ container, ports }, name) =>
  ports.get(container.ports.find((port) => port.name === name).containerPort);

/** Starts two nodes and an API; resolves when their rendered probes say so. */
async function startAll(objects) {
  const redis = new URL(await startRedis(servers, join(directory, 'redis')));
  const templates = podsOf(objects);
  const templateOf = (component) =>
    templates.find(({ spec }) => spec.containers[0].name === component).spec;
  const start = (name, component) =>
    startPod(apps, {
      ...{ name, spec: templateOf(component), objects, directory: join(directory, name) },
      redisPort: redis.port,
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
    { output: (line) => console.log(`prometheus | ${line}`) },
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
async function helmTest(objects, { nodes, api }) {
  const { spec } = objectOf(objects, 'Pod', '-test');
  const place = join(directory, 'test');
  const { lead } = writePod({ spec, objects, directory: place });
  const [{ command, env }] = spec.containers;
  const plan = JSON.parse(env.find(({ name }) => name === 'CHECK_PLAN').value);
  const atHome = plan.listeners.map((one) => {
    return { ...one, host: HOST, port: portOf(nodes[0], one.name) };
  });
  const urls = plan.urls.map((text) => {
    const url = new URL(text);
    return `http://${HOST}:${api.ports.get(Number(url.port))}${url.pathname}`;
  });
  const own = nodes.map((node) => ({ host: HOST, port: portOf(node, 'tcp') }));
  const lines = [];
  const { ended } = apps.start(process.execPath, command.slice(1).map(lead), {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      CHECK_PLAN: JSON.stringify({ ...plan, listeners: atHome, nodes: own, urls }),
    },
    output: (line) => lines.push(line),
  });
  return { code: await ended, lines };
}

/** Ends a node as Kubernetes would, with clients at it; resolves with its exit code and how long it took. */
async function endNode(node) {
  const options = { reconnectPeriod: 0, protocolVersion: 5 };
  const clients = Array.from({ length: CLIENTS }, () =>
    mqtt.connect(`mqtt://${HOST}:${portOf(node, 'tcp')}`, options),
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
  await until(
    'the readiness probe sees the drain',
    async () => {
      return (await statusOf(probeUrl(node, 'readinessProbe'))) === 503;
    },
    { deadlineMs: 2_000, pauseMs: 20 },
  );
  const code = await node.ended;
  for (const client of clients) client.end(true);
  return { code, reasons, seconds: (performance.now() - since) / 1_000 };
}

describe.each(['minimal', 'statefulset'])('%s', (ci) => {
  it(
    'starts, is probed, scraped and tested, and ends within its grace, as rendered',
    async () => {
      const objects = render({ files: [ciFile(ci)], set: MONITORED });
      const pods = await timed('probes green', () => startAll(objects));
      const tested = await timed('helm test', () => helmTest(objects, pods));
      expect(tested).toMatchObject({ code: 0 });
      expect(tested.lines.filter((line) => line.startsWith('ok'))).toHaveLength(7);

      const { targets, rules } = await timed('scraped, rules evaluated', () =>
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
      const { code, reasons, seconds } = await timed('pre-stop and drain', () => endNode(node));
      expect({ code, reasons }).toEqual({ code: 0, reasons: Array(CLIENTS).fill(0x8b) });
      expect(seconds).toBeLessThan(terminationGracePeriodSeconds);
      expect(await statusOf(probeUrl(pods.nodes[1], 'readinessProbe'))).toBe(200);
    },
    CASE_MS,
  );
});
