import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { loadConfig } from '#libs/config';
import { clusterSettings, sampleBridge, wishesOf } from './cluster-settings.mjs';

const sample = 'deploy/dev/cluster.yaml';
const directory = mkdtempSync(join(tmpdir(), 'skein-cluster-settings-'));
const redis = { SKEIN_REDIS_URL: 'redis://127.0.0.1:6379' };
let files = 0;

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function fileOf(text) {
  const path = join(directory, `${(files += 1)}.yaml`);
  writeFileSync(path, text);
  return path;
}

/** The configuration of a node, from what `npm run cluster` gives it. */
function nodeOf({ config, env = {} }) {
  const { asked, env: given } = clusterSettings({ config, env });
  const bridge = sampleBridge({ asked, brokers: '127.0.0.1:9092', sample });
  return loadConfig({ env: { ...given, ...bridge, ...redis } });
}

it('lets everybody connect, and has the sample rules, when nothing is said', () => {
  const { auth, bridges, bridgeRules } = nodeOf({});

  expect(auth.anonymous).toBe(true);
  expect(bridges.map(({ id }) => id)).toEqual(['main']);
  expect(bridgeRules.map(({ id }) => id)).toEqual(['telemetry', 'commands']);
});

it('goes by the users of a file, by flag or by variable, and keeps the sample rules beside them', () => {
  const config = fileOf('auth:\n  users: [{ name: ann, password: low-water }]\n');

  for (const given of [{ config }, { env: { SKEIN_CONFIG: config } }]) {
    const { auth, bridgeRules } = nodeOf(given);
    expect(auth.anonymous).toBe(false);
    expect(auth.users.map(({ name }) => name)).toEqual(['ann']);
    expect(bridgeRules.map(({ id }) => id)).toEqual(['telemetry', 'commands']);
  }
});

it('asks for stored users alone with the file of docs/api.md', () => {
  expect(nodeOf({ config: 'docs/fixtures/api.yaml' }).auth).toMatchObject({
    anonymous: false,
    chain: [{ kind: 'stored' }],
  });
});

it('adds no bridge to those of a file', () => {
  const config = fileOf('bridges: [{ id: own, kind: kafka, brokers: ["127.0.0.1:9093"] }]\n');
  const { bridges, bridgeRules } = nodeOf({ config });

  expect(bridges.map(({ id }) => id)).toEqual(['own']);
  expect(bridgeRules).toEqual([]);
});

it('says which field of a file is wrong before anything starts', () => {
  const config = fileOf('listeners:\n  tcp: { port: mqtt }\n');

  expect(() => clusterSettings({ config, env: {} })).toThrow('listeners.tcp.port: ');
});

it.each([
  [['--config', 'a.yaml', '--observe'], { config: 'a.yaml', observed: true, withKafka: true }],
  [['--config=a.yaml', '--no-kafka'], { config: 'a.yaml', observed: false, withKafka: false }],
  [['--config'], { fault: '--config: a path is missing; for example --config skein.yaml' }],
  [
    ['--kafka'],
    {
      fault:
        '--kafka: is not a known flag; the known ones are --config FILE, --no-kafka, --observe and --help',
    },
  ],
])('reads %j', (argv, wishes) => {
  expect(wishesOf(argv)).toMatchObject(wishes);
});
