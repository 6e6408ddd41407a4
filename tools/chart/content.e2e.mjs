// What single values come to in the rendered objects.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { chart, ciNames, objectOf, podsOf, render } from './helm.mjs';
import { faultsOf } from './kubernetes.mjs';
import { podFaults } from './policies.mjs';

const alphabetic = (one, other) => (one < other ? -1 : 1);
const brokerOf = (objects) =>
  podsOf(objects).find(({ spec }) => spec.containers[0].name === 'broker').spec;
const variable = ({ containers }, name) =>
  containers[0].env.find((each) => each.name === name)?.value;

it.each([
  ['by default', {}, 105],
  ['within another time', { durationSeconds: 120 }, 165],
  ['at a rate', { connectionsPerSecond: 1_000 }, 245],
  ['at a rate with a deadline', { connectionsPerSecond: 1_000, deadlineSeconds: 30 }, 75],
  ['at once', { preStopSeconds: 0, lameDuckSeconds: 0, durationSeconds: 1 }, 60],
])('the grace follows from the drain: %s', (_, drain, seconds) => {
  const set = Object.fromEntries(
    Object.entries(drain).map(([key, value]) => [`drain.${key}`, value]),
  );

  expect(brokerOf(render({ set })).terminationGracePeriodSeconds).toBe(seconds);
});

it.each([
  [{}, 'skein-broker:0.0.0'],
  [{ 'broker.image.tag': 'x' }, 'skein-broker:x'],
  [{ 'broker.image.registry': 'own' }, 'own/skein-broker:0.0.0'],
  [{ 'broker.image.registry': 'own', 'global.imageRegistry': 'all' }, 'all/skein-broker:0.0.0'],
  [
    { 'broker.image.tag': 'x', 'broker.image.digest': `sha256:${'a'.repeat(64)}` },
    `skein-broker@sha256:${'a'.repeat(64)}`,
  ],
])('%j is the image %s', (set, image) => {
  expect(brokerOf(render({ set })).containers[0].image).toBe(image);
});

it.each([
  ['1Gi', 768],
  ['2G', 1430],
  ['512Mi', 384],
  ['1500000000', 1072],
])('of %s the heap may take %i MiB', (memory, megabytes) => {
  const set = { 'broker.resources.limits.memory': memory };

  expect(variable(brokerOf(render({ set })), 'NODE_OPTIONS')).toBe(
    `--max-old-space-size=${megabytes}`,
  );
});

it.each(ciNames)('%s: a budget of disruptions where there are always two nodes', (ci) => {
  const objects = render({ ci });
  const budgets = objects.filter(({ kind }) => kind === 'PodDisruptionBudget');

  expect(budgets.length).toBe(ci === 'single-node' ? 0 : 2);
  for (const { spec } of budgets)
    expect(spec).toMatchObject({ maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow' });
});

it('a roll-out brings up all new nodes first; a StatefulSet one node after the other', () => {
  const deployment = objectOf(render(), 'Deployment', '-broker').spec;
  const set = objectOf(render({ ci: 'statefulset' }), 'StatefulSet', '-broker').spec;

  expect(deployment).toMatchObject({
    ...{ minReadySeconds: 15, revisionHistoryLimit: 5 },
    strategy: { rollingUpdate: { maxSurge: '100%', maxUnavailable: 0 } },
  });
  expect(set).toMatchObject({ podManagementPolicy: 'Parallel', minReadySeconds: 30 });
  expect(objectOf(render(), 'Service', '-headless').spec.publishNotReadyAddresses).toBe(true);
});

it('every port of a container has exactly one rule of a network policy', () => {
  const objects = render({ ci: 'networkpolicy' });
  const policies = objects.filter(({ kind }) => kind === 'NetworkPolicy');

  for (const { spec, labels } of podsOf(objects).filter(({ where }) => !where.startsWith('Pod/'))) {
    const own = policies.filter(({ spec: { podSelector } }) =>
      Object.entries(podSelector.matchLabels).every(([key, value]) => labels[key] === value),
    );
    const open = own.flatMap((policy) => (policy.spec.ingress ?? []).flatMap(({ ports }) => ports));
    const named = spec.containers.flatMap(({ ports }) => ports.map(({ name }) => name));

    expect(open.map(({ port }) => port).toSorted(alphabetic)).toEqual(named.toSorted(alphabetic));
    expect(own.map(({ metadata }) => metadata.name)).toContain('t-skein-deny');
  }
});

it('no Ingress leads to raw MQTT', () => {
  const ingresses = render({ ci: 'ws-ingress' }).filter(({ kind }) => kind === 'Ingress');
  const goals = ingresses.flatMap(({ spec }) =>
    spec.rules.flatMap(({ http }) => http.paths.map(({ backend }) => backend.service.port)),
  );

  expect(goals).toEqual(expect.arrayContaining([{ number: 8083 }, { name: 'http' }]));
  expect(goals).toHaveLength(2);
});

it('autoscalers look at metrics that nodes have', () => {
  const catalog = readFileSync(join(chart, '../../libs/metrics-prom/src/catalog.ts'), 'utf8');
  const scaler = objectOf(render({ ci: 'hpa' }), 'HorizontalPodAutoscaler', '-broker').spec;
  const names = scaler.metrics.flatMap(({ pods }) => pods?.metric.name ?? []);
  const keda = objectOf(render({ ci: 'keda' }), 'ScaledObject').spec.triggers;
  const asked = keda.map(({ metadata }) => /sum\((\w+)/.exec(metadata.query)[1]);

  expect(names).toEqual(asked);
  for (const name of names) expect(catalog).toContain(name);
  expect(scaler.behavior).toEqual({
    scaleUp: {
      stabilizationWindowSeconds: 0,
      policies: [{ type: 'Percent', value: 100, periodSeconds: 60 }],
    },
    scaleDown: {
      stabilizationWindowSeconds: 900,
      policies: [{ type: 'Pods', value: 1, periodSeconds: 300 }],
    },
  });
});

it('rules by default are those of deploy/monitoring, and promtool takes them', () => {
  const { spec } = objectOf(render({ ci: 'production' }), 'PrometheusRule');
  const folder = join(chart, '../../deploy/monitoring/rules');
  const groups = readdirSync(folder).flatMap(
    (file) => parse(readFileSync(join(folder, file), 'utf8')).groups,
  );
  const byName = (one, other) => (one.name < other.name ? -1 : 1);
  const directory = mkdtempSync(join(tmpdir(), 'skein-rules-'));
  const file = join(directory, 'rules.yaml');
  writeFileSync(file, stringify({ groups: spec.groups }));
  const { status, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
  rmSync(directory, { recursive: true });

  expect(spec.groups.toSorted(byName)).toEqual(groups.toSorted(byName));
  expect({ status, stderr }).toMatchObject({ status: 0 });
});

it('rules take other numbers, times, labels and places of runbooks', () => {
  const { groups } = objectOf(render({ ci: 'monitoring' }), 'PrometheusRule').spec;
  const rules = groups.flatMap((group) => group.rules);
  const rule = (name) => rules.find(({ alert }) => alert === name);

  expect(groups.map(({ name }) => name)).not.toContain('skein-slos');
  expect(rule('SkeinBrokerCertificateExpiry').expr).toContain('2592000');
  expect(rule('SkeinBrokerTargetDown')).toMatchObject({
    ...{ for: '5m', labels: { severity: 'critical', team: 'platform' } },
    annotations: {
      summary: 'Broker pod {{ $labels.pod }} cannot be scraped',
      runbook_url: 'https://runbooks.example.org/skein/SkeinBrokerTargetDown.md',
    },
  });
  expect(JSON.stringify(groups)).not.toContain('@');
});

it('dashboards are rendered as they are', () => {
  const folder = join(chart, '../../deploy/monitoring/dashboards');
  const maps = render({ ci: 'monitoring' }).filter(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.labels.grafana_dashboard === '1',
  );
  const files = readdirSync(folder);

  expect(maps).toHaveLength(8);
  expect(maps.flatMap(({ data }) => Object.keys(data)).toSorted()).toEqual(files.toSorted());
  for (const { data, metadata } of maps) {
    const [[file, text]] = Object.entries(data);
    expect(metadata.annotations.grafana_folder).toBe('MQTT');
    expect(text).toBe(readFileSync(join(folder, file), 'utf8').trimEnd());
  }
});

it('a component takes whatever it is given besides', () => {
  for (const { spec, labels } of podsOf(render({ ci: 'extras' })).slice(0, 2)) {
    const [container] = spec.containers;

    expect(container.env).toContainEqual({ name: 'TZ', value: 'demo' });
    expect(container.envFrom).toEqual([{ secretRef: { name: 'bridge-secrets' } }]);
    expect(container.args).toEqual(['--config', '/etc/skein/config/skein.yaml']);
    expect(container.volumeMounts).toContainEqual({ name: 'more', mountPath: '/more' });
    expect(container.lifecycle.preStop.exec.command).toEqual(['node', '--version']);
    expect(spec.initContainers.map(({ name }) => name)).toEqual(['before', 'beside']);
    expect(spec).toMatchObject({
      ...{ priorityClassName: 'high', runtimeClassName: 'gvisor', schedulerName: 'packed' },
      dnsConfig: { options: [{ name: 'ndots', value: '1' }] },
      hostAliases: [{ ip: '10.1.2.3', hostnames: ['redis.data'] }],
    });
    expect(labels.color).toBe('blue');
  }
});

it('a change of the configuration changes the pods, and nothing else does', () => {
  const checksumOf = (set) =>
    objectOf(render({ set }), 'Deployment', '-broker').spec.template.metadata.annotations[
      'checksum/config'
    ];

  expect(checksumOf({ 'broker.config.limits.inflightMax': 64 })).not.toBe(checksumOf({}));
  expect(checksumOf({ 'broker.minReadySeconds': 20 })).toBe(checksumOf({}));
});

it('what holds objects to Kubernetes and to the policies sees what is wrong', () => {
  const objects = render();
  const workload = objectOf(objects, 'Deployment', '-broker');
  const [container] = workload.spec.template.spec.containers;
  container.livnessProbe = {};
  container.securityContext.readOnlyRootFilesystem = false;
  workload.spec.template.spec.automountServiceAccountToken = true;

  expect(faultsOf(workload)).toEqual([
    'Deployment/t-skein-broker/spec/template/spec/containers/0 must NOT have additional properties livnessProbe',
  ]);
  expect(podFaults(objects)).toEqual([
    'Deployment/t-skein-broker: no token',
    'Deployment/t-skein-broker, broker: read-only',
  ]);
  expect(faultsOf({ apiVersion: 'apps/v1', kind: 'Deploiment', metadata: { name: 'a' } })).toEqual([
    'Deploiment/a: nobody knows apps/v1/Deploiment',
  ]);
});
