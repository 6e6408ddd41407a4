import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { hostname } from 'node:os';
import { LineCounter, parse, parseDocument } from 'yaml';
import type { z } from 'zod';
import { ConfigError, type ConfigFault } from './config-error.ts';
import { crossFaults } from './cross-faults.ts';
import { parseFlags } from './flags.ts';
import type { furtherListener } from './listener-section.ts';
import { nearest } from './nearest.ts';
import { schema } from './schema.ts';
import { SecretError, readSecret } from './secret-reference.ts';
import { ITEM_KEYS, LISTENER_SETTINGS, SETTINGS, type Setting } from './setting.ts';

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

type Parsed = DeepReadonly<z.output<typeof schema>>;

/** The settings of a process, checked and frozen to the last leaf. docs/configuration.md describes every key. */
export interface Config extends Omit<Parsed, 'node'> {
  readonly node: Parsed['node'] & {
    /** The version in package.json; not a setting. */
    readonly version: string;
  };
}

type Further = Extract<DeepReadonly<z.output<typeof furtherListener>>, { transport: 'ws' }>;

/** A listener, whatever its name. */
export interface ListenerSettings extends Omit<Further, 'path' | 'transport'> {
  readonly name: string;
  readonly transport: 'tcp' | 'ws';
  /** Of a WebSocket listener. */
  readonly path?: string;
}

/** The listeners that are to be opened, in the order of the configuration. */
export function enabledListeners({ listeners }: Config): readonly ListenerSettings[] {
  return Object.entries(listeners)
    .filter(([, { enabled }]) => enabled)
    .map(([name, settings]) => ({ name, ...settings }));
}

/** Where the configuration comes from. Flags beat the environment, the environment beats the file. */
export interface ConfigSource {
  /** Variables named `SKEIN_*` are read; an empty one counts as absent. @defaultValue `process.env` */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The command line without node and script. @defaultValue none */
  readonly argv?: readonly string[];
  /** The YAML file. @defaultValue that of `--config`, else of `SKEIN_CONFIG`, else none */
  readonly file?: string;
}

const FILE_VARIABLE = 'SKEIN_CONFIG';
/** Settings beside which another one, its name with `File`, may name a file that holds the value. */
const SECRETS_IN_FILES = ['api.key', 'auth.saltSecret'];

type Tree = { [key: string]: unknown };

/**
 * Reads the configuration; no other code reads the environment.
 *
 * @example
 * ```ts
 * const config = loadConfig({ env: process.env, argv: process.argv.slice(2) });
 * ```
 * @throws ConfigError naming every fault at once, each with its fix.
 */
export function loadConfig(source: ConfigSource = {}): Config {
  const env = source.env ?? process.env;
  const flags = parseFlags(source.argv ?? []);
  const file = source.file ?? flags.config ?? (env[FILE_VARIABLE] || undefined);
  const tree = file === undefined ? {} : readFile(file);
  const inFile = structuredClone(tree);
  const origins = new Map<string, string>();
  const faults = [...overlayEnv(env, tree, origins)];
  if (flags.data !== undefined) {
    put(tree, 'data.dir', flags.data);
    origins.set('data.dir', '--data');
  }
  faults.push(...readSecretFiles(tree, origins));
  if (at(tree, 'node.id') === undefined) put(tree, 'node.id', defaultNodeId());
  const parsed = schema.safeParse(tree);
  if (!parsed.success) {
    faults.push(...parsed.error.issues.flatMap((issue) => faultsOf(issue, origins)));
  }
  if (faults.length > 0 || !parsed.success) throw new ConfigError(faults);
  const crossed = crossFaults(parsed.data);
  if (crossed.length > 0) throw new ConfigError(crossed);
  const config = freeze({
    ...parsed.data,
    node: { ...parsed.data.node, version: packageVersion() },
  });
  sources.set(config, (path) => {
    const origin = origins.get(path);
    if (origin === undefined) return at(inFile, path) === undefined ? 'default' : 'file';
    if (origin.startsWith('SKEIN_')) return 'environment';
    return origin.startsWith('--') ? 'flag' : 'file';
  });
  return config;
}

/** Where the value of a key comes from; `api` is what was set at run time. */
export type SettingSource = 'default' | 'file' | 'environment' | 'flag' | 'api';

const sources = new WeakMap<Config, (path: string) => SettingSource>();

/** Where the value of a key comes from; that of a configuration which was not loaded but made counts as a default. */
export function sourceOf(config: Config, path: string): SettingSource {
  return sources.get(config)?.(path) ?? 'default';
}

/** Says of a configuration that was made of another one where its values come from. @internal */
export function setSources(config: Config, sourceAt: (path: string) => SettingSource): void {
  sources.set(config, sourceAt);
}

/** The version of the product, from package.json. */
export function packageVersion(): string {
  const path = findPackageJSON(import.meta.url);
  if (path === undefined) throw new Error('package.json must lie above the code');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

function readFile(file: string): Tree {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw new ConfigError([
      { field: file, problem: 'cannot be read', fix: 'name a YAML file that exists' },
    ]);
  }
  // The parser's own messages quote the text around the error, which may hold a secret.
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const error = document.errors[0];
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    const problem = `is not valid YAML at line ${line}, column ${col} (${error.code})`;
    throw new ConfigError([{ field: file, problem, fix: 'correct that line' }]);
  }
  const content: unknown = document.toJS() ?? {};
  if (!isTree(content)) {
    const fix = 'start with sections such as `listeners:`, see docs/configuration.md';
    throw new ConfigError([{ field: file, problem: 'does not hold a map of sections', fix }]);
  }
  return content;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Lays the variables over the tree; returns a fault for each that nobody knows. */
function overlayEnv(
  env: NonNullable<ConfigSource['env']>,
  tree: Tree,
  origins: Map<string, string>,
): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('SKEIN_') || name === FILE_VARIABLE || !text) continue;
    const setting = SETTINGS.find((known) => known.env === name);
    if (setting === undefined) {
      const known = [...SETTINGS.map((each) => each.env), FILE_VARIABLE];
      const fix = `the nearest is ${nearest(name, known)}, see docs/configuration.md`;
      faults.push({ field: name, problem: 'is not a known variable', fix });
    } else {
      put(tree, setting.path, valueOf(setting, text));
      origins.set(setting.path, name);
    }
  }
  return faults;
}

/** Takes the secrets that may stand in a file from there, as if they stood in the configuration. */
function readSecretFiles(tree: Tree, origins: Map<string, string>): readonly ConfigFault[] {
  return SECRETS_IN_FILES.flatMap((path) => {
    const field = `${path}File`;
    const file = at(tree, field);
    if (typeof file !== 'string' || file === '') return [];
    if (at(tree, path) !== undefined) {
      return [{ field, problem: `is given beside ${path}`, fix: 'remove one of them' }];
    }
    try {
      put(tree, path, readSecret({ file }));
      origins.set(path, field);
      return [];
    } catch (error) {
      if (!(error instanceof SecretError)) throw error;
      const fix = 'name a file that this user may read, with the secret in its first line';
      return [{ field, problem: error.message, fix }];
    }
  });
}

/** A text that does not fit the type is passed on as it is, for the schema to refuse. */
function valueOf(setting: Setting, text: string): unknown {
  switch (setting.type) {
    case 'integer':
      return /^-?\d+$/.test(text) ? Number(text) : text;
    case 'number':
      return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'string':
      return text;
    case 'array':
      return /^\s*\[/.test(text) ? flow(text) : itemsOf(text);
    case 'integers':
      if (/^\s*\[/.test(text)) return flow(text);
      return itemsOf(text).map((item) => (/^-?\d+$/.test(item) ? Number(item) : item));
  }
}

const itemsOf = (text: string): readonly string[] => text.split(',').map((item) => item.trim());

function flow(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return text;
  }
}

/** Sets a leaf; a section that is not a map stays, for the schema to refuse. */
function put(tree: Tree, path: string, value: unknown): void {
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let here: Tree = tree;
  for (const key of keys) {
    const next = (here[key] ??= {});
    if (!isTree(next)) return;
    here = next;
  }
  here[last] = value;
}

function at(tree: Tree, path: string): unknown {
  let here: unknown = tree;
  for (const key of path.split('.')) here = isTree(here) ? here[key] : undefined;
  return here;
}

/** The host name in the letters that a node id may have. */
function defaultNodeId(): string {
  return (
    hostname()
      .replaceAll(/[^A-Za-z0-9._-]/g, '-')
      .slice(0, 64) || 'node'
  );
}

/** What an issue of the schema means to whoever wrote the value. @internal */
export function faultsOf(
  issue: z.core.$ZodIssue,
  origins: ReadonlyMap<string, string>,
): readonly ConfigFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey(issue.path, key));
  }
  const path = pathText(issue.path);
  const setting = settingAt(path);
  if (setting === undefined) {
    return [{ field: path, problem: 'must be a map of settings', fix: 'indent its keys under it' }];
  }
  const origin = origins.get(setting.path);
  const within = path.slice(setting.path.length);
  if (ITEM_KEYS.has(setting.path) && within !== '') {
    const problem = origin === undefined ? issue.message : `${within} ${issue.message}`;
    return [
      { field: origin ?? path, problem, fix: `see ${setting.path} in docs/configuration.md` },
    ];
  }
  const fallback = setting.default === undefined ? '' : ` ${JSON.stringify(setting.default)}`;
  const fix =
    issue.code === 'invalid_union' && !SETTINGS.includes(setting)
      ? 'or correct the name: tcp, ws, tls and wss alone need none'
      : `correct it, or remove it for the default${fallback || ' (see docs/configuration.md)'}`;
  return [{ field: origin ?? path, problem: `must be ${setting.expects}`, fix }];
}

/** The setting at a path, or of the list that the path leads into. */
function settingAt(path: string): Setting | undefined {
  const isOf = (known: Setting): boolean =>
    path === known.path || path.startsWith(`${known.path}[`);
  return SETTINGS.find(isOf) ?? furtherSettings(path).find(isOf);
}

/** The settings of the listener that a path leads to, where its name is not one of those with defaults. */
function furtherSettings(path: string): readonly Setting[] {
  const listener = /^listeners\.[^.]+/.exec(path)?.[0];
  if (listener === undefined || SETTINGS.some((each) => each.path.startsWith(`${listener}.`))) {
    return [];
  }
  return LISTENER_SETTINGS.further.map((each) => ({ ...each, path: `${listener}.${each.path}` }));
}

function unknownKey(path: readonly PropertyKey[], key: string): ConfigFault {
  const section = pathText(path);
  const field = section === '' ? key : `${section}.${key}`;
  const list = section.slice(0, Math.max(0, section.indexOf('[')));
  const item = /^[^[]*\[\d+\]/.exec(section)?.[0] ?? '';
  const known =
    ITEM_KEYS.get(list)?.map((name) => `${item}.${name}`) ??
    [...SETTINGS, ...furtherSettings(section)].flatMap((setting) => prefixesOf(setting.path));
  const fix = `the nearest is ${nearest(field, known)}, see docs/configuration.md`;
  return { field, problem: 'is not a known key', fix };
}

/** `a.b.c` gives `a`, `a.b` and `a.b.c`. */
function prefixesOf(path: string): readonly string[] {
  const keys = path.split('.');
  return keys.map((_, index) => keys.slice(0, index + 1).join('.'));
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

/** Freezes a value to the last leaf. @internal */
export function freeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) freeze(inner);
  }
  return Object.freeze(value);
}
