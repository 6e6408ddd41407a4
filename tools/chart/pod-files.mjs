// The files that a rendered pod has: its ConfigMaps and Secrets below a directory of this machine, and its texts with the paths led there.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const DUMMY = 'a-secret-of-a-test-0123456789\n';

/** The volumes of a pod by where they are mounted in its first container, as `{path, volume}`. */
const mountsOf = (spec) =>
  spec.containers[0].volumeMounts.map(({ name, mountPath }) => {
    const volume = (spec.volumes ?? []).find((each) => each.name === name);
    return { path: mountPath, volume: volume ?? { name, persistentVolumeClaim: {} } };
  });

/** All texts in a tree that begin with a path. */
function pathsIn(tree, found = []) {
  if (typeof tree === 'string' && /^\/(?:etc|var|tmp)\//.test(tree)) found.push(tree);
  else if (typeof tree === 'object' && tree !== null)
    for (const inner of Object.values(tree)) pathsIn(inner, found);
  return found;
}

/**
 * Writes what a pod has mounted below `directory`: every ConfigMap, and of each Secret what `secrets` says, or a text for each
 * file that the configuration names. Returns what leads a text there, and the files that are named but mounted nowhere.
 *
 * @param change - is given each configuration as a tree, to be changed before it is written.
 */
export function writePod({ spec, objects, directory, secrets = {}, change = (tree) => tree }) {
  const mounts = mountsOf(spec);
  // In one pass: the directory itself may lie below a path that is mounted.
  const paths = mounts.map(({ path }) => path).join('|');
  const begins = new RegExp(`(?<![\\w/.-])(${paths})(?=["/]|$)`, 'g');
  const lead = (text) => text.replace(begins, (_, path) => join(directory, path));
  const named = [];
  for (const { path, volume } of mounts) {
    const here = join(directory, path);
    mkdirSync(here, { recursive: true });
    for (const [file, text] of Object.entries(filesOf(volume, { objects, secrets }))) {
      const isConfig = file === 'skein.yaml';
      if (isConfig) named.push(...pathsIn(parse(text)));
      const written = isConfig ? JSON.stringify(change(parse(text))) : text;
      writeFileSync(join(here, file), isConfig ? lead(written) : written);
    }
  }
  const homeless = [];
  for (const file of named) {
    const mount = mounts.find(({ path }) => `${file}/`.startsWith(`${path}/`));
    if (mount === undefined) homeless.push(file);
    else if (
      mount.volume.secret !== undefined &&
      secrets[mount.volume.secret.secretName] === undefined
    )
      writeFileSync(join(directory, file), DUMMY);
  }
  return { lead, homeless };
}

function filesOf({ configMap, secret }, { objects, secrets }) {
  if (secret !== undefined) return secrets[secret.secretName] ?? {};
  if (configMap === undefined) return {};
  const map = objects.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMap.name,
  );
  if (map === undefined) throw new Error(`ConfigMap ${configMap.name} is mounted, not rendered`);
  return map.data;
}

/** The environment of a container as a process has it; `fields` says what the Downward API would. */
export function environmentOf({ env = [] }, { lead, fields }) {
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [
      name,
      valueFrom === undefined ? lead(value ?? '') : fields[valueFrom.fieldRef.fieldPath],
    ]),
  );
}
