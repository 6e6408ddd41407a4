// What reaches users of the chart: every setting of the configuration, the words after an installation, where pods are placed.
import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { SETTINGS } from '#libs/config';
import { chart, ciFile, ciNames, helm, objectOf, podsOf, render, renderNotes } from './helm.mjs';
import { ICON, packageChart } from '../chart-package.mjs';

const directory = mkdtempSync(join(tmpdir(), 'skein-reach-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Sections that `broker.config` refuses, since other values make them key by key. */
const MADE = /^(?:listeners|drain|log|ops|node|data|backups)\./;
/** Settings that no value makes, and why. */
const LEFT = new Map([
  ['node.id', 'the name of the pod, by the environment'],
  ['node.commit', 'the image says it'],
  ['node.serverReference', 'drain.serverReference'],
  ['log.format', 'by the environment'],
  ['backups.key.env', 'no secret is in the environment'],
]);
/** Listeners that are there by name speak what their name says. */
const isOfName = (path) => /^listeners\.\w+\.transport$/.test(path);

/** The paths of all leaves of a configuration; a list is one. */
function leavesOf(tree, path = '') {
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) return [path];
  return Object.entries(tree).flatMap(([key, inner]) =>
    leavesOf(inner, path === '' ? key : `${path}.${key}`),
  );
}

const configsOf = (objects) =>
  objects.flatMap(({ kind, data }) =>
    kind === 'ConfigMap' && data['skein.yaml'] !== undefined ? [parse(data['skein.yaml'])] : [],
  );

describe('every setting can be reached', () => {
  it('those that values make, key by key', () => {
    const all = { proxyProtocol: 'required', proxyFrom: ['10.0.0.0/8'], connectionsMax: 9 };
    const rates = {
      ...{ connectsPerSecond: 9, connectBurst: 9 },
      ...{ connectsPerSecondPerAddress: 9, connectBurstPerAddress: 9 },
    };
    const paths = SETTINGS.map(({ path }) => path);
    const rules = Object.fromEntries(
      paths
        .filter((path) => path.startsWith('listeners.tcp.rules.'))
        .map((path) => [path.split('.').at(-1), 1]),
    );
    const secured = {
      clientCertificate: 'require',
      minVersion: 'TLSv1.3',
      handshakeTimeoutMs: 500,
    };
    const sni = [{ names: ['a.example.org'], existingSecret: 'a' }];
    const listener = { enabled: true, ...all, ...rates, rules };
    const set = Object.fromEntries(
      ['tcp', 'ws', 'tls', 'wss'].map((name, at) => {
        const own = { ...listener, type: name, port: 1883 + at };
        const path = name.startsWith('ws') ? { path: '/x' } : {};
        const tls = name.startsWith('t') && name !== 'tls' ? {} : { tls: { ...secured, sni } };
        return [`listeners.${name}`, { ...own, ...path, ...(name === 'ws' ? {} : tls) }];
      }),
    );
    const more = {
      'tls.existingSecret': 'a',
      'tls.clientCa': { existingSecret: 'ca', key: 'ca.crt', crlKey: 'ca.crl' },
      'drain.serverReference': 'mqtt.example.org:8883',
    };
    const trees = [
      ...configsOf(render({ set: { ...set, ...more } })),
      ...configsOf(render({ ci: 'backups' })),
      ...configsOf(
        render({
          ci: 'single-node',
          set: { 'broker.workload': 'StatefulSet', 'broker.persistence.enabled': true },
        }),
      ),
    ];
    const rendered = new Set(trees.flatMap((tree) => leavesOf(tree)));

    expect(
      paths.filter(
        (path) => MADE.test(path) && !rendered.has(path) && !LEFT.has(path) && !isOfName(path),
      ),
    ).toEqual([]);
    expect([...LEFT.keys()].filter((path) => !paths.includes(path))).toEqual([]);
  });

  it('all others as they are, by `broker.config` and `api.config`', () => {
    const sections = [...new Set(SETTINGS.map(({ path }) => path.split('.')[0]))];
    const made = [
      'listeners',
      'drain',
      'log',
      'ops',
      'node',
      'data',
      'backups',
      'commands',
      'redis',
      'api',
      'bridges',
      'bridgeRules',
    ];
    const further = sections.filter((section) => !made.includes(section));
    const set = Object.fromEntries(
      further.map((section) => [
        `broker.config.${section}`,
        section === 'auth' ? { anonymous: true, probe: 1 } : { probe: 1 },
      ]),
    );
    const [broker, api] = ['-broker', '-api'].map((name) =>
      parse(
        objectOf(
          render({ set: { ...set, 'api.config': { probe: 1 }, 'redis.config': { probe: 1 } } }),
          'ConfigMap',
          name,
        ).data['skein.yaml'],
      ),
    );

    expect(further.filter((section) => broker[section]?.probe !== 1)).toEqual([]);
    expect(further.length).toBeGreaterThan(10);
    expect([api.api.probe, api.redis.probe, broker.redis.probe]).toEqual([1, 1, 1]);
  });

  it('what users are given over the API is hashed as nodes do it', () => {
    const api = objectOf(render({ ci: 'backups' }), 'ConfigMap', '-api').data['skein.yaml'];

    expect(parse(api)).toMatchObject({
      auth: { iterations: 20_000 },
      redis: { readinessGraceSeconds: 20 },
      backups: { dir: '/var/lib/skein/backups', key: { file: '/etc/skein/backup-key/backup-key' } },
    });
    expect(parse(api).auth).toEqual({ iterations: 20_000 });
  });
});

describe('a volume for backups', () => {
  it('is one that stays, and another one where it is named', () => {
    const own = objectOf(render({ ci: 'backups' }), 'PersistentVolumeClaim');
    const named = render({ ci: 'backups', set: { 'api.backups.existingClaim': 'elsewhere' } });
    const claimOf = (objects) =>
      objectOf(objects, 'Deployment', '-api').spec.template.spec.volumes.find(
        ({ name }) => name === 'backups',
      ).persistentVolumeClaim.claimName;

    expect(own.metadata.annotations['helm.sh/resource-policy']).toBe('keep');
    expect(claimOf(render({ ci: 'backups' }))).toBe(own.metadata.name);
    expect(claimOf(named)).toBe('elsewhere');
    expect(named.filter(({ kind }) => kind === 'PersistentVolumeClaim')).toEqual([]);
  });

  it('that one pod has for itself has the old pod go first', () => {
    const set = { 'api.backups.accessModes': ['ReadWriteOnce'], 'api.replicas': 1 };

    expect(objectOf(render({ ci: 'backups', set }), 'Deployment', '-api').spec.strategy).toEqual({
      type: 'Recreate',
    });
  });
});

describe('before an uninstall', () => {
  it('nothing is run, unless drains are not wanted', () => {
    const jobsOf = (ci) => render({ ci }).filter(({ kind }) => kind === 'Job');

    expect(jobsOf('minimal')).toEqual([]);
    expect(jobsOf('uninstall').map(({ metadata }) => metadata.annotations)).toEqual([
      {
        'helm.sh/hook': 'pre-delete',
        'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded',
      },
    ]);
  });

  it('the hook shows the key that is named, by default that of the API', () => {
    const secretOf = (set) =>
      objectOf(render({ ci: 'uninstall', set }), 'Job').spec.template.spec.volumes.find(
        ({ name }) => name === 'key',
      ).secret.secretName;

    expect(secretOf({})).toBe('skein-operator');
    expect(secretOf({ 'drain.uninstallKey.existingSecret': '' })).toBe('skein-api');
  });
});

describe('the words after an installation', () => {
  it.each(ciNames)('%s: has the listeners, and how to go on', (ci) => {
    const notes = renderNotes({ ci });
    const values = parse(readFileSync(ciFile(ci), 'utf8'), { merge: true });

    expect(notes).toMatch(/ {2}\w+: (?:mqtts?|wss?):\/\/\S+:\d+/);
    expect(notes.includes('/api/v1')).toBe(values.api?.enabled !== false);
    expect(notes).toContain('helm uninstall');
    expect(notes).not.toMatch(/%!|<nil>|map\[/);
  });

  it.each([
    ['minimal', {}, 'No listener speaks TLS'],
    ['minimal', {}, 'broker.config.auth.anonymous lets everybody in'],
    ['minimal', {}, 'shows it once, in the log of one of its pods'],
    ['production', {}, 'The first key is in the Secret skein-api, key api-key.'],
    ['embedded-redis', {}, 'redis.embedded is for trials'],
    ['single-node', {}, 'One node without Redis: clients wait while it is started again.'],
    ['tls-selfsigned', {}, 'nobody trusts these certificates'],
    ['minimal', {}, 'drain skip'],
    ['uninstall', {}, '`helm uninstall` tells all nodes first to end without a drain'],
    ['tls-existing', {}, 'tls.ticketSecret is not set'],
    ['hpa', {}, 'More nodes take no connection from those that are there'],
    [
      'minimal',
      {
        'listeners.tcp': {
          type: 'tcp',
          port: 1883,
          proxyProtocol: 'required',
          proxyFrom: ['10.0.0.0/8'],
        },
        services: [{ name: 'outside', type: 'LoadBalancer' }],
      },
      'listeners.tcp wants the PROXY header, and services.outside has no annotation',
    ],
  ])('%s %j: %s', (ci, set, words) => {
    expect(renderNotes({ ci, set })).toContain(words);
  });

  it('warn of nothing in earnest', () => {
    expect(renderNotes({ ci: 'production' })).not.toContain('WARNING');
  });
});

describe.each(['broker', 'api'])('pods of the %s', (component) => {
  const specOf = (set) =>
    podsOf(render({ set })).find(({ spec }) => spec.containers[0].name === component).spec;

  it.each([
    ['soft', 'ScheduleAnyway', 'preferredDuringSchedulingIgnoredDuringExecution'],
    ['hard', 'DoNotSchedule', 'requiredDuringSchedulingIgnoredDuringExecution'],
    ['none', undefined, undefined],
  ])('keep apart: %s', (preset, unsatisfiable, affinity) => {
    const path = (key) => `${component}.${key}`;
    const spec = specOf({ [path('spread')]: preset, [path('podAntiAffinity')]: preset });
    const constraints = spec.topologySpreadConstraints ?? [];

    expect(constraints.map(({ topologyKey }) => topologyKey)).toEqual(
      preset === 'none' ? [] : ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'],
    );
    for (const each of constraints)
      expect(each).toMatchObject({
        ...{ maxSkew: 1, whenUnsatisfiable: unsatisfiable },
        matchLabelKeys: ['pod-template-hash'],
      });
    expect(Object.keys(spec.affinity?.podAntiAffinity ?? {})).toEqual(affinity ? [affinity] : []);
  });

  it('are asked three different questions, on a port of its own, and no shell is needed', () => {
    const [{ startupProbe, livenessProbe, readinessProbe, ports }] = specOf({}).containers;
    const probes = [startupProbe, livenessProbe, readinessProbe];

    expect(probes.map(({ httpGet }) => httpGet)).toEqual([
      { path: '/healthz/startup', port: 'ops' },
      { path: '/healthz/live', port: 'ops' },
      { path: '/healthz/ready', port: 'ops' },
    ]);
    expect(startupProbe).toMatchObject({ periodSeconds: 2, failureThreshold: 60 });
    expect(livenessProbe).toMatchObject({
      periodSeconds: 10,
      timeoutSeconds: 5,
      failureThreshold: 6,
    });
    expect(readinessProbe).toMatchObject({ periodSeconds: 3, failureThreshold: 2 });
    expect(ports.filter(({ name }) => name === 'ops')).toHaveLength(1);
  });
});

it('stateful pods have a template that no hash names', () => {
  const { spec } = objectOf(render({ ci: 'statefulset' }), 'StatefulSet').spec.template;

  expect(spec.topologySpreadConstraints.filter((each) => 'matchLabelKeys' in each)).toEqual([]);
});

describe('the chart as a package', () => {
  it('says where it comes from, and its icon is that of the folder', () => {
    const file = packageChart({
      ...{ version: '1.2.3', repository: 'https://example.org/team/skein' },
      ...{ images: 'registry.example.org/team', out: directory, helm: 'helm4/helm' },
      changelog: '## [1.2.3] - 2026-01-02\n\n### Added\n\n- One\n  line.\n\n### Fixed\n\n- Two.\n',
    });
    const { status, stdout } = helm('helm3', ['show', 'chart', file]);
    const shown = parse(stdout);

    expect(status).toBe(0);
    expect(shown).toMatchObject({
      ...{ version: '1.2.3', appVersion: '1.2.3', icon: ICON },
      home: 'https://example.org/team/skein',
      sources: ['https://example.org/team/skein'],
    });
    expect(parse(shown.annotations['artifacthub.io/images'])).toEqual([
      { name: 'broker', image: 'registry.example.org/team/skein-broker:1.2.3' },
      { name: 'api', image: 'registry.example.org/team/skein-api:1.2.3' },
    ]);
    expect(parse(shown.annotations['artifacthub.io/changes'])).toEqual([
      { kind: 'added', description: 'One line.' },
      { kind: 'fixed', description: 'Two.' },
    ]);
    expect(shown.annotations['artifacthub.io/prerelease']).toBe('false');
    expect(parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')).icon).toBe(ICON);
  });
});
