import { dirname, relative, resolve, sep } from 'node:path';
import { opennessFault } from './auth-chain.ts';
import type { ConfigFault } from './config-error.ts';
import { crossFaults } from './cross-faults.ts';
import { faultsOf, freeze, setSources, sourceOf, type Config } from './load.ts';
import {
  leavesOf,
  over,
  type OverrideFault,
  type Overridden,
  type SettingsTree,
} from './overrides.ts';
import { schema } from './schema.ts';

type Listeners = Config['listeners'];

/** Keys of a listener that name a file. */
const FILES = ['certFile', 'keyFile', 'caFile', 'crlFile'] as const;

/**
 * Lays listeners that were made or changed at run time over a configuration: one that it has keeps what is not in its tree, one
 * of another name needs `transport` and `port`.
 *
 * @remarks Files are taken only from directories where the configuration has files of listeners, and from `bridge.secrets.dir`:
 * who may make listeners is not to find out what else a machine has.
 */
export function withListeners(
  config: Config,
  overlays: ReadonlyMap<string, SettingsTree>,
): Overridden {
  const trees = Object.fromEntries(overlays);
  const parsed = schema.shape.listeners.safeParse(over(config.listeners, trees));
  if (!parsed.success) {
    const faults = parsed.error.issues.flatMap((issue) => {
      const kind = issue.code === 'unrecognized_keys' ? ('unknown' as const) : ('invalid' as const);
      const placed = { ...issue, path: ['listeners', ...issue.path] };
      return faultsOf(placed, new Map()).map((fault) => ({ ...fault, kind }));
    });
    return { kind: 'faulty', faults };
  }
  const made: Config = { ...config, listeners: freeze(parsed.data) as Listeners };
  const openness = opennessFault(config) === undefined ? opennessFault(made) : undefined;
  const faults = [
    ...crossFaults(made as unknown as Parameters<typeof crossFaults>[0]),
    ...fileFaults(config, made.listeners, [...overlays.keys()]),
    ...(openness === undefined ? [] : [openness]),
  ];
  if (faults.length > 0) return { kind: 'faulty', faults: faults.map(invalid) };
  const leaves = leavesOf({ listeners: trees });
  setSources(made, (path) => (leaves.has(path) ? 'api' : sourceOf(config, path)));
  return { kind: 'overridden', config: Object.freeze(made) };
}

function fileFaults(
  config: Config,
  listeners: Listeners,
  names: readonly string[],
): readonly ConfigFault[] {
  const own = Object.values(config.listeners)
    .flatMap(filesOf)
    .map(({ file }) => dirname(file));
  const { dir } = config.bridge.secrets;
  const allowed = [...own, ...(dir === undefined ? [] : [dir])];
  return names.flatMap((name) => {
    const listener = listeners[name];
    const files = listener === undefined ? [] : filesOf(listener);
    return files
      .filter(({ file }) => !allowed.some((each) => isWithin(each, file)))
      .map(({ key }) => ({
        field: `listeners.${name}.tls.${key}`,
        problem: 'lies in no directory that files of listeners may come from over REST',
        fix: 'take one where the configuration has files of listeners, or bridge.secrets.dir',
      }));
  });
}

function filesOf({ tls }: Listeners[string]): readonly { key: string; file: string }[] {
  if (tls === undefined) return [];
  const named = FILES.flatMap((key) => {
    const file = tls[key];
    return file === undefined ? [] : [{ key, file }];
  });
  const further = tls.sni.flatMap(({ certFile, keyFile }, index) => [
    { key: `sni[${String(index)}].certFile`, file: certFile },
    { key: `sni[${String(index)}].keyFile`, file: keyFile },
  ]);
  return [...named, ...further];
}

function isWithin(dir: string, file: string): boolean {
  const path = relative(resolve(dir), resolve(file));
  return path !== '' && path.split(sep)[0] !== '..' && resolve(dir, path) === resolve(file);
}

function invalid(fault: ConfigFault): OverrideFault {
  return { ...fault, kind: 'invalid' };
}
