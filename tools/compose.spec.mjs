import { existsSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { SETTINGS, loadConfig } from '#libs/config';
import { instructionsOf } from './image-tree.mjs';

const root = new URL('..', import.meta.url);
const read = (path) => readFileSync(new URL(path, root), 'utf8');
const { services, volumes } = parse(read('deploy/compose/compose.yaml'), { merge: true });
const scrapes = parse(read('deploy/compose/prometheus.yml')).scrape_configs;
const nodes = ['node1', 'node2', 'node3'];

const dockerfile = instructionsOf(read('deploy/docker/Dockerfile'));

/** The variables that an image sets, with those of the stage that both come from. */
function imageEnv(target) {
  const env = {};
  let stage;
  for (const [name, text] of dockerfile) {
    if (name === 'FROM') stage = text.split(' AS ')[1];
    if (name !== 'ENV' || !['app', target].includes(stage)) continue;
    Object.assign(env, Object.fromEntries(text.split(/\s+/).map((pair) => pair.split('='))));
  }
  return env;
}

/** What a service's process finds in its environment, the file mounted where it says. */
function processEnv({ build, environment }) {
  const env = { ...imageEnv(build.target), ...environment, SKEIN_NODE_COMMIT: 'abc123' };
  if (env.SKEIN_API_KEY) env.SKEIN_API_KEY = '0123456789abcdef';
  return { ...env, SKEIN_CONFIG: fileURLToPath(new URL('deploy/dev/cluster.yaml', root)) };
}

describe('compose.yaml', () => {
  it.each([...nodes, 'api'])('gives %s a configuration that Skein accepts', (name) => {
    const config = loadConfig({ env: processEnv(services[name]) });

    expect(config.node.id).toBe(name);
    expect(config.redis.url).toBe('redis://redis:6379');
    expect(config.bridgeRules.map(({ id }) => id)).toEqual(['telemetry', 'commands']);
    expect(config.ops.host).toBe('0.0.0.0');
  });

  it('starts again what ends by itself, and lets what has done its work end', () => {
    const policies = Object.entries(services).map(([name, { restart }]) => [name, restart]);
    const { topics, ...others } = Object.fromEntries(policies);

    expect(topics).toBeUndefined();
    expect(new Set(Object.values(others))).toEqual(new Set(['unless-stopped']));
  });

  it('mounts the rules where the variable says', () => {
    for (const name of [...nodes, 'api']) {
      const { environment, volumes: mounts } = services[name];
      expect(mounts).toEqual([`../dev/cluster.yaml:${environment.SKEIN_CONFIG}:ro`]);
    }
  });

  it('listens on loopback only', () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);

    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
    expect(new Set(ports.map((port) => port.split(':')[1])).size).toBe(ports.length);
  });

  it('depends on, mounts and builds from what exists', () => {
    for (const { depends_on: needs = {}, volumes: mounts = [], build } of Object.values(services)) {
      const names = Array.isArray(needs) ? needs : Object.keys(needs);
      expect(names.filter((name) => !(name in services))).toEqual([]);
      for (const source of mounts.map((mount) => mount.split(':')[0])) {
        const known = source.startsWith('.')
          ? existsSync(new URL(`deploy/compose/${source}`, root))
          : source in volumes;
        expect([source, known]).toEqual([source, true]);
      }
      const files = build ? [build.dockerfile] : [];
      expect(files.filter((file) => !existsSync(new URL(file, root)))).toEqual([]);
    }
  });

  it('lets clients to nodes through the balancer alone, and says so to the nodes', () => {
    const { balancer } = services;
    const text = read('deploy/compose/haproxy.cfg');
    const bound = [...text.matchAll(/^ {2}bind :(\d+)$/gm)].map(([, port]) => port);
    const published = balancer.ports.map((port) => port.split(':')[2]);
    const servers = [...text.matchAll(/^ {2}server node\d (node\d):(\d+)$/gm)];

    // The rest is its own probe.
    expect(bound.filter((port) => !published.includes(port))).toEqual(['8404']);
    expect(published.filter((port) => !bound.includes(port))).toEqual([]);
    expect(new Set(servers.map(([, name, port]) => `${name} ${port}`))).toEqual(
      new Set(nodes.flatMap((name) => [`${name} 1883`, `${name} 8083`])),
    );
    for (const name of nodes) {
      const { listeners } = loadConfig({ env: processEnv(services[name]) });
      const addresses = [balancer.networks.default.ipv4_address];
      for (const { proxyProtocol, proxyFrom } of [listeners.tcp, listeners.ws]) {
        expect({ proxyProtocol, proxyFrom }).toEqual({
          proxyProtocol: 'required',
          proxyFrom: addresses,
        });
      }
    }
  });

  it.each(['kafka', 'redis'])('runs the %s that the tests run', (name) => {
    expect(read('tools/services.mjs')).toContain(`'${services[name].image}'`);
  });
});

describe('images', () => {
  it('copy what exists, and what is not kept from them', () => {
    const sources = dockerfile
      .filter(([name, text]) => name === 'COPY' && !text.startsWith('--from'))
      .flatMap(([, text]) => text.split(/\s+/).slice(0, -1));
    const kept = new Set(
      read('.dockerignore')
        .split('\n')
        .filter((line) => line.startsWith('!'))
        .map((line) => line.slice(1)),
    );

    expect(sources).toContain('package.json');
    expect(sources.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
    expect(sources.filter((path) => !kept.has(path.split('/')[0]))).toEqual([]);
  });

  it.each(['broker', 'api'])('of the %s set variables that exist', (app) => {
    const known = new Set(SETTINGS.map(({ env }) => env));
    const set = Object.keys(imageEnv(app)).filter((name) => name.startsWith('SKEIN_'));

    expect(set.filter((name) => !known.has(name))).toEqual([]);
    expect(set).not.toEqual([]);
  });
});

it('shows the dashboards where Grafana looks for them, under the password of the caller', () => {
  const { grafana, prometheus } = services;
  const folder = parse(read('deploy/compose/grafana/dashboards.yml')).providers[0].options.path;
  const rules = parse(read('deploy/compose/prometheus.yml')).rule_files;

  expect(grafana.volumes).toContain(`../monitoring/dashboards:${folder}:ro`);
  expect(grafana.environment.GF_SECURITY_ADMIN_PASSWORD).toBe(
    '${GRAFANA_PASSWORD:?set GRAFANA_PASSWORD}',
  );
  expect(prometheus.volumes).toContain(`../monitoring/rules:${dirname(rules[0])}:ro`);
});

it('labels what it scrapes as rules and dashboards count it', () => {
  const labels = scrapes.flatMap((scrape) => scrape.static_configs.map((each) => each.labels));

  expect(labels).toEqual([...nodes, 'api'].map((pod) => ({ namespace: 'compose', pod })));
});

it('scrapes every node and the API under the job names of the dashboards', () => {
  const targets = Object.fromEntries(
    scrapes.map((scrape) => [
      scrape.job_name,
      scrape.static_configs.flatMap((each) => each.targets),
    ]),
  );

  expect(targets).toEqual({
    'skein-broker': nodes.map((name) => `${name}:9464`),
    'skein-api': ['api:9465'],
  });
});
