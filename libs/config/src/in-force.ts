import { HOT_KEYS, type HotReach } from './hot.ts';
import { sourceOf, type Config, type SettingSource } from './load.ts';
import { maskedConfig } from './print.ts';
import { LISTENER_SETTINGS, SETTINGS } from './setting.ts';

/** A key with the value that is in force; that of a secret is masked. */
export interface SettingInForce {
  /** For example `limits.queueMessagesMax`. */
  readonly path: string;
  /** Undefined where the key is absent. */
  readonly value: unknown;
  readonly default: unknown;
  readonly source: SettingSource;
  /** Whom another value concerns while nodes run; undefined where it wants a restart. */
  readonly hot: HotReach | undefined;
  readonly description: string;
  readonly unit: string | undefined;
}

/** Every key of a configuration, those of listeners with a name of their own included. */
export function settingsInForce(config: Config): readonly SettingInForce[] {
  const shown = maskedConfig(config);
  return [...SETTINGS, ...furtherSettings(config)].map(({ path, description, unit, ...known }) => ({
    ...{ path, description, unit },
    default: known.default,
    value: valueAt(shown, path),
    source: sourceOf(config, path),
    hot: HOT_KEYS.get(path),
  }));
}

function furtherSettings({ listeners }: Config) {
  const known = new Set(SETTINGS.map(({ path }) => path.split('.', 2).join('.')));
  return Object.keys(listeners)
    .map((name) => `listeners.${name}`)
    .filter((listener) => !known.has(listener))
    .flatMap((listener) =>
      LISTENER_SETTINGS.further.map((each) => ({ ...each, path: `${listener}.${each.path}` })),
    );
}

function valueAt(tree: unknown, path: string): unknown {
  let here = tree;
  for (const key of path.split('.')) {
    here = typeof here === 'object' && here !== null ? Reflect.get(here, key) : undefined;
  }
  return here;
}
