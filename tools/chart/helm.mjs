// Renders the chart as a user would, with helm 3 and helm 4.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { toolPath } from '../chart-tools.mjs';

/** The versions of helm that the chart is for. */
export const HELMS = ['helm3', 'helm4'];
/** The version that manifests are rendered for; helm 3 would take an old one of its own. */
export const KUBERNETES = '1.35.0';
export const RELEASE = 't';
export const NAMESPACE = 'demo';

export const chart = fileURLToPath(new URL('../../helm/skein', import.meta.url));
const ci = join(chart, 'ci');

/** The files of values that everything is tried with, by name. */
export const ciNames = readdirSync(ci).map((file) => file.replace(/-values\.yaml$/, ''));
export const ciFile = (name) => join(ci, `${name}-values.yaml`);

/** Runs a helm; returns `{status, stdout, stderr}`. */
export function helm(version, args, { input } = {}) {
  const options = { encoding: 'utf8', input, maxBuffer: 2 ** 27 };
  const { error, status, stdout, stderr } = spawnSync(toolPath(`${version}/helm`), args, options);
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** The arguments of `helm template` for files and values; a value is written as for `--set-json`. */
function argumentsOf({ files = [], set = {}, release = RELEASE, kube = KUBERNETES, more = [] }) {
  const values = Object.entries(set).map(([path, value]) => `${path}=${JSON.stringify(value)}`);
  return [
    ...['template', release, chart, '--namespace', NAMESPACE, '--kube-version', kube],
    ...['--api-versions', 'monitoring.coreos.com/v1'],
    ...files.flatMap((file) => ['--values', file]),
    ...values.flatMap((each) => ['--set-json', each]),
    ...more,
  ];
}

/** What a helm prints. @throws Error with what it says, where it fails. */
export function renderText(version, options) {
  const { status, stdout, stderr } = helm(version, argumentsOf(options));
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** The objects that a helm renders; by default of the least values. */
export function render(options = {}, version = 'helm4') {
  const files = options.files ?? [ciFile(options.ci ?? 'minimal')];
  return objectsOf(renderText(version, { ...options, files }));
}

/** What is said after an installation; of helm 4, since helm 3 takes no version of Kubernetes there. */
export function renderNotes({ ci, set = {} }) {
  const values = Object.entries(set).flatMap(([path, value]) => [
    '--set-json',
    `${path}=${JSON.stringify(value)}`,
  ]);
  const run = ['install', RELEASE, chart, '--namespace', NAMESPACE, '--dry-run=client'];
  const { status, stdout, stderr } = helm('helm4', [...run, '--values', ciFile(ci), ...values]);
  if (status !== 0) throw new Error(stderr);
  return stdout.split('\nNOTES:\n')[1];
}

/** The objects in a stream of YAML; helm writes YAML 1.1, where a key is given once. */
export function objectsOf(text) {
  const documents = parseAllDocuments(text, { uniqueKeys: true });
  return documents.flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    const object = document.toJS();
    return object === null ? [] : [object];
  });
}

/** What a refused render says. */
export function refusal(options, version = 'helm4') {
  const files = options.files ?? [ciFile(options.ci ?? 'minimal')];
  const { status, stderr } = helm(version, argumentsOf({ ...options, files }));
  return status === 0 ? undefined : stderr;
}

/** One object by kind and the end of its name. */
export function objectOf(objects, kind, suffix = '') {
  const found = objects.filter((each) => each.kind === kind && each.metadata.name.endsWith(suffix));
  if (found.length !== 1) {
    const names = objects.map((each) => `${each.kind}/${each.metadata.name}`).join(', ');
    throw new Error(`${found.length} of ${kind}/*${suffix} among ${names}`);
  }
  return found[0];
}

/** The pods of objects: templates of workloads, and bare ones; `{name, spec, labels}` each. */
export function podsOf(objects) {
  return objects.flatMap(({ kind, metadata, spec }) => {
    const where = `${kind}/${metadata.name}`;
    if (kind === 'Pod') return [{ where, spec, labels: metadata.labels }];
    if (spec?.template?.spec === undefined) return [];
    return [{ where, spec: spec.template.spec, labels: spec.template.metadata.labels }];
  });
}

/** The containers of a pod, init containers too. */
export const containersOf = (spec) => [...(spec.initContainers ?? []), ...spec.containers];
