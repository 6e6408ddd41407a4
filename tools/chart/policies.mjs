// What every pod of the chart must be: the profile “restricted” of Pod Security, and a little more.
import { containersOf, podsOf } from './helm.mjs';

const UID_LEAST = 10_000;

/** What pods of objects lack; `anyUser` where the platform chooses the user. */
export function podFaults(objects, { anyUser = false } = {}) {
  return podsOf(objects).flatMap(({ where, spec }) => {
    const faults = [];
    const want = (holds, what) => holds || faults.push(`${where}: ${what}`);
    const security = spec.securityContext ?? {};
    want(security.runAsNonRoot === true, 'runAsNonRoot');
    want(security.seccompProfile?.type === 'RuntimeDefault', 'seccompProfile RuntimeDefault');
    if (!anyUser) {
      for (const key of ['runAsUser', 'runAsGroup'])
        want(security[key] >= UID_LEAST, `${key} of ${UID_LEAST} or more`);
    }
    want(spec.automountServiceAccountToken === false, 'no token');
    want(spec.enableServiceLinks === false, 'no service links');
    for (const key of ['hostNetwork', 'hostPID', 'hostIPC']) want(spec[key] !== true, `no ${key}`);
    for (const volume of spec.volumes ?? []) want(!('hostPath' in volume), 'no hostPath');
    for (const container of spec.containers) {
      want(container.resources?.limits?.memory !== undefined, `${container.name}: limit of memory`);
      want(container.resources?.limits?.cpu === undefined, `${container.name}: no limit of CPU`);
      want(container.resources?.requests?.cpu !== undefined, `${container.name}: request of CPU`);
    }
    for (const container of containersOf(spec)) faults.push(...containerFaults(where, container));
    return faults;
  });
}

function containerFaults(where, { name, securityContext = {}, ports = [], env = [] }) {
  const faults = [];
  const want = (holds, what) => holds || faults.push(`${where}, ${name}: ${what}`);
  want(securityContext.allowPrivilegeEscalation === false, 'no privilege escalation');
  want(securityContext.privileged !== true, 'not privileged');
  want(securityContext.capabilities?.drop?.includes('ALL') === true, 'drops ALL');
  want((securityContext.capabilities?.add ?? []).length === 0, 'adds no capability');
  want(
    name === 'before' || name === 'beside' || securityContext.readOnlyRootFilesystem === true,
    'read-only',
  );
  for (const port of ports) want(port.hostPort === undefined, 'no hostPort');
  for (const each of env)
    want(each.valueFrom?.secretKeyRef === undefined, 'no secret in the environment');
  return faults;
}

/** What objects as a whole must hold. */
export function objectFaults(objects) {
  const faults = [];
  const seen = new Set();
  for (const { kind, metadata, data, stringData } of objects) {
    const where = `${kind}/${metadata.name}`;
    if (metadata.name.length > 63) faults.push(`${where}: the name is longer than 63`);
    const key = `${where}/${metadata.namespace}`;
    if (seen.has(key)) faults.push(`${where}: is there twice`);
    seen.add(key);
    if (kind === 'Role' || kind === 'ClusterRole') faults.push(`${where}: no rights are needed`);
    if (kind === 'Secret' && (data ?? stringData)) faults.push(`${where}: a rendered secret`);
    if (kind === 'ConfigMap' && JSON.stringify(data ?? {}).length > 900 * 1_024)
      faults.push(`${where}: larger than 900 KiB`);
  }
  return faults;
}

/** Kinds that may be of no component. */
const OF_THE_WHOLE = ['ServiceAccount', 'NetworkPolicy'];
const LABELS = ['name', 'instance', 'version', 'component', 'part-of', 'managed-by'];

/** Labels that objects lack, those of `foreign` names left aside, and selectors that would not outlive an upgrade. */
export function labelFaults(objects, foreign = []) {
  return objects.flatMap(({ kind, metadata, spec }) => {
    if (foreign.includes(metadata.name)) return [];
    const where = `${kind}/${metadata.name}`;
    const labels = metadata.labels ?? {};
    const wanted = LABELS.filter((label) => label !== 'component' || !OF_THE_WHOLE.includes(kind));
    const missing = wanted
      .map((label) => `app.kubernetes.io/${label}`)
      .concat('helm.sh/chart')
      .filter((label) => labels[label] === undefined);
    const selector = spec?.selector?.matchLabels ?? spec?.selector ?? {};
    const fleeting = ['app.kubernetes.io/version', 'helm.sh/chart'].filter(
      (each) => each in selector,
    );
    return [
      ...missing.map((label) => `${where}: lacks ${label}`),
      ...fleeting.map((label) => `${where}: selects by ${label}`),
    ];
  });
}
