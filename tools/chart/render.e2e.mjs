import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { loadConfig, opennessFault, packageVersion } from '#libs/config';
import {
  HELMS,
  KUBERNETES,
  chart,
  ciFile,
  ciNames,
  containersOf,
  helm,
  objectsOf,
  podsOf,
  refusal,
  render,
  renderText,
} from './helm.mjs';
import { faultsOf } from './kubernetes.mjs';
import { NEGATIVES } from './negatives.mjs';
import { environmentOf, writePod } from './pod-files.mjs';
import { labelFaults, objectFaults, podFaults } from './policies.mjs';

const directory = mkdtempSync(join(tmpdir(), 'skein-chart-'));
const WANTED = (
  'minimal production tls-existing tls-certmanager ws-ingress gateway-api hpa keda statefulset embedded-redis ' +
  'redis-sentinel-tls redis-cluster kafka-sasl-tls networkpolicy monitoring proxy-protocol openshift'
).split(' ');

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What the apps say of a rendered configuration, with the environment of its container. */
function configOf(pod, objects, directoryOfPod) {
  const { lead, homeless } = writePod({ spec: pod.spec, objects, directory: directoryOfPod });
  const fields = { 'metadata.name': 'pod-1' };
  const env = environmentOf(pod.spec.containers[0], { lead, fields });
  return { homeless, env, config: loadConfig({ env }) };
}

describe('the chart itself', () => {
  it('there are values for everything that the chart can be', () => {
    expect(WANTED.filter((name) => !ciNames.includes(name))).toEqual([]);
  });

  it('the chart is of the version of the product, and Artifact Hub is told of its images', () => {
    const { appVersion, annotations } = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8'));

    expect(appVersion).toBe(packageVersion());
    expect(parse(annotations['artifacthub.io/images']).map(({ image }) => image)).toEqual([
      `skein-broker:${appVersion}`,
      `skein-api:${appVersion}`,
    ]);
  });
});

describe.each(HELMS)('%s: lint, and two renders of each file of values', (version) => {
  it('has no complaint of the chart with its own values', () => {
    const { status, stdout } = helm(version, [
      'lint',
      '--strict',
      '--kube-version',
      KUBERNETES,
      chart,
    ]);

    expect({ status, stdout }).toMatchObject({ status: 0 });
  });

  it.each(ciNames)('%s: no complaint; what is rendered is the same twice', (ci) => {
    const files = [ciFile(ci)];
    const lint = ['lint', '--strict', '--kube-version', KUBERNETES, '--values', files[0], chart];
    const { status, stdout } = helm(version, lint);
    const [once, again] = [renderText(version, { files }), renderText(version, { files })];

    expect({ status, stdout }).toMatchObject({ status: 0 });
    // In lint mode a helm only mentions a guard that fails.
    expect(stdout).not.toContain('Fail:');
    expect(again).toBe(once);
  });
});

describe.each(HELMS)('%s: values that are refused, with their message', (version) => {
  it.each(NEGATIVES)('$title', ({ options, message }) => {
    expect(refusal(options, version)).toMatch(message);
  });
});

describe('both helms render the same', () => {
  it.each(ciNames)('%s', (ci) => {
    expect(render({ ci }, 'helm3')).toEqual(render({ ci }, 'helm4'));
  });
});

describe('strict schemas of Kubernetes, and policies', () => {
  it.each(ciNames)('%s: every object holds to Kubernetes, pods are restricted', (ci) => {
    const objects = render({ ci });
    const { extraObjects = [] } = parse(readFileSync(ciFile(ci), 'utf8'), { merge: true });
    const foreign = extraObjects.length > 0 ? ['t-topics', 't-text'] : [];

    expect(objects.length).toBeGreaterThan(5);
    expect(objects.flatMap(faultsOf)).toEqual([]);
    expect(podFaults(objects, { anyUser: ci === 'openshift' })).toEqual([]);
    expect(objectFaults(objects)).toEqual([]);
    expect(labelFaults(objects, foreign)).toEqual([]);
  });
});

describe('the apps take what is rendered', () => {
  it.each(ciNames)('%s: the apps take every key, variable and path that is rendered', (ci) => {
    const objects = render({ ci });
    const pods = podsOf(objects).filter(({ spec }) =>
      ['broker', 'api'].includes(spec.containers[0].name),
    );

    for (const pod of pods) {
      const name = pod.spec.containers[0].name;
      const { homeless, env, config } = configOf(pod, objects, join(directory, ci, name));
      const own = Object.keys(env).filter((each) => each.startsWith('SKEIN_'));

      expect(homeless).toEqual([]);
      expect(own).toEqual(
        expect.arrayContaining(['SKEIN_CONFIG', 'SKEIN_NODE_ID', 'SKEIN_OPS_HOST']),
      );
      expect(config.ops.host).toBe('0.0.0.0');
      expect(name === 'broker' ? opennessFault(config) : undefined).toBeUndefined();
      expect(portsOf(config, name)).toEqual(
        pod.spec.containers[0].ports.map(({ containerPort }) => containerPort).toSorted(ascending),
      );
    }
    expect(pods.length).toBe(ci === 'single-node' ? 1 : 2);
  });
});

const ascending = (a, b) => a - b;

/** The ports that an app opens to others, by its configuration. */
function portsOf(config, name) {
  if (name === 'api') return [config.api.port, config.api.opsPort].toSorted(ascending);
  const listeners = Object.values(config.listeners).filter(({ enabled }) => enabled);
  return [config.ops.port, ...listeners.map(({ port }) => port)].toSorted(ascending);
}

describe('versions of Kubernetes, and neighbours', () => {
  it.each(['1.27.0', '1.30.0', '1.35.0'])(
    'for Kubernetes %s fields are left out that it lacks',
    (kube) => {
      const objects = ['production', 'proxy-protocol', 'extras'].map((ci) => render({ ci, kube }));
      const [pod] = podsOf(objects[0]).filter(({ spec }) => spec.containers[0].name === 'broker');
      const sleep = { sleep: { seconds: 5 } };
      const script = { exec: { command: ['node', '-e', 'setTimeout(() => {}, 5000)'] } };
      const minor = Number(kube.split('.')[1]);
      const web = objects[1].find(({ metadata }) => metadata.name === 't-skein-web');
      const extras = podsOf(objects[2]).find(
        ({ spec }) => spec.containers[0].name === 'broker',
      ).spec;
      const sidecar = containersOf(extras).find(({ name }) => name === 'beside');

      expect(objects.flat().flatMap(faultsOf)).toEqual([]);
      expect(pod.spec.containers[0].lifecycle.preStop).toEqual(minor < 30 ? script : sleep);
      expect('trafficDistribution' in web.spec).toBe(minor >= 31);
      expect(sidecar.restartPolicy).toBe(minor < 29 ? undefined : 'Always');
    },
  );

  it('two releases in a namespace share no object and no selector', () => {
    const files = [ciFile('production')];
    const releases = ['one', 'two'].map((release) =>
      objectsOf(renderText('helm4', { files, release })),
    );
    const names = releases.map((objects) =>
      objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`),
    );
    const selectors = releases.map((objects) =>
      objects.flatMap(({ spec }) => JSON.stringify(spec?.selector ?? spec?.podSelector) ?? []),
    );

    expect(names[0].filter((name) => names[1].includes(name))).toEqual([]);
    expect(selectors[0].filter((each) => selectors[1].includes(each))).toEqual([]);
    expect(selectors[0].length).toBeGreaterThan(5);
  });
});
