import type { ConfigFault } from './config-error.ts';
import { crossFaults } from './cross-faults.ts';
import { HOT_KEYS, HOT_SECTIONS, otherWayOf } from './hot.ts';
import { faultsOf, freeze, setSources, sourceOf, type Config } from './load.ts';
import { nearest } from './nearest.ts';
import { schema } from './schema.ts';
import { SETTINGS } from './setting.ts';

/** To find the nearest key takes a while, and thousands of faults would stop the process for seconds. */
const FAULTS_SHOWN_MAX = 20;

/** Settings as a configuration file has them, or a part of them: sections with keys. */
export interface SettingsTree {
  readonly [key: string]: unknown;
}

/** What is wrong with settings that are to be set at run time. */
export interface OverrideFault extends ConfigFault {
  /** `restart`: the value may be right, but the key is not one that takes another one while nodes run. */
  readonly kind: 'unknown' | 'invalid' | 'restart';
}

/** A configuration with what was set at run time above it, or why there is none. */
export type Overridden =
  | { readonly kind: 'overridden'; readonly config: Config }
  | { readonly kind: 'faulty'; readonly faults: readonly OverrideFault[] };

/** The keys that stand in a tree, with their values; what leads to no key counts as one. */
export function leavesOf(tree: SettingsTree): ReadonlyMap<string, unknown> {
  const leaves = new Map<string, unknown>();
  collect(tree, '', leaves);
  return leaves;
}

/**
 * Lays settings that were set at run time over a configuration.
 *
 * @remarks Only keys of {@link HOT_KEYS} may be set so. The configuration is the one of a process: what another one makes of the
 * same settings may differ.
 */
export function withOverrides(config: Config, overrides: SettingsTree): Overridden {
  const leaves = leavesOf(overrides);
  const unfit = [...leaves.keys()].filter((path) => !HOT_KEYS.has(path));
  const faults = unfit.slice(0, FAULTS_SHOWN_MAX).flatMap((path) => keyFault(path));
  if (faults.length > 0) return { kind: 'faulty', faults };
  const merged: Record<string, unknown> = { ...config };
  for (const section of HOT_SECTIONS) {
    if (overrides[section] === undefined) continue;
    const parsed = schema.shape[section].safeParse(over(config[section], overrides[section]));
    if (parsed.success) merged[section] = freeze(parsed.data);
    else faults.push(...invalid(parsed.error.issues, section));
  }
  if (faults.length > 0) return { kind: 'faulty', faults };
  // The sections are those of the schema, each parsed by it.
  const made = merged as unknown as Config;
  const crossed = crossFaults(made as unknown as Parameters<typeof crossFaults>[0]);
  if (crossed.length > 0) {
    return { kind: 'faulty', faults: crossed.map((each) => ({ ...each, kind: 'invalid' })) };
  }
  setSources(made, (path) => (leaves.has(path) ? 'api' : sourceOf(config, path)));
  return { kind: 'overridden', config: Object.freeze(made) };
}

/** Finds what is wrong with settings of any kind, were they in the configuration of this process. */
export function draftFaults(config: Config, draft: SettingsTree): readonly OverrideFault[] {
  const { version: _, ...node } = config.node;
  const parsed = schema.safeParse(over({ ...config, node }, draft));
  if (!parsed.success) return invalid(parsed.error.issues);
  return crossFaults(parsed.data).map((each) => ({ ...each, kind: 'invalid' }));
}

function invalid(
  issues: Parameters<typeof faultsOf>[0][],
  section?: string,
): readonly OverrideFault[] {
  return issues.flatMap((issue) => {
    const path = section === undefined ? issue.path : [section, ...issue.path];
    const kind = issue.code === 'unrecognized_keys' ? 'unknown' : 'invalid';
    return faultsOf({ ...issue, path }, new Map()).map((fault) => ({ ...fault, kind }));
  });
}

function keyFault(path: string): readonly OverrideFault[] {
  if (HOT_KEYS.has(path)) return [];
  const isSection = SETTINGS.some((known) => known.path.startsWith(`${path}.`));
  if (isSection) {
    return [
      {
        ...{ kind: 'invalid', field: path, problem: 'must be a map of settings' },
        fix: 'write its keys in it',
      },
    ];
  }
  const isKnown = SETTINGS.some((known) => known.path === path) || path.startsWith('listeners.');
  if (isKnown) {
    return [
      {
        ...{ kind: 'restart', field: path, problem: 'cannot be changed here' },
        fix: otherWayOf(path),
      },
    ];
  }
  const fix = `the nearest is ${nearest(path, [...HOT_KEYS.keys()])}, see docs/configuration.md`;
  return [{ kind: 'unknown', field: path, problem: 'is not a known key', fix }];
}

function collect(value: unknown, path: string, leaves: Map<string, unknown>): void {
  const isKey = path !== '' && SETTINGS.some((known) => known.path === path);
  if (isKey || !isTree(value)) {
    if (path !== '') leaves.set(path, value);
    return;
  }
  for (const [key, inner] of Object.entries(value)) {
    collect(inner, path === '' ? key : `${path}.${key}`, leaves);
  }
}

/** One tree with another one above it; a list is replaced as a whole. @internal */
export function over(base: unknown, above: unknown): unknown {
  if (!isTree(above)) return above;
  const merged = new Map(isTree(base) ? Object.entries(base) : []);
  for (const [key, value] of Object.entries(above)) merged.set(key, over(merged.get(key), value));
  return Object.fromEntries(merged);
}

function isTree(value: unknown): value is SettingsTree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
