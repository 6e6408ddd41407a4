import {
  CONFIG_DOCUMENT_ID,
  type ConfigDocument,
  type DefinitionStore,
  type Log,
  type Meter,
  type StoredDefinition,
} from '#libs/broker-ports';
import {
  HOT_SECTIONS,
  withListeners,
  withOverrides,
  type Config,
  type SettingsTree,
} from '#libs/config';

/** What of the store of settings is needed. */
export type ConfigStore = Pick<DefinitionStore<ConfigDocument>, 'get' | 'put' | 'watch'>;

type Stored = StoredDefinition<ConfigDocument>;

/** What live settings tell of themselves. */
export interface LiveSettingsParts {
  readonly store: ConfigStore;
  readonly log: Log;
  readonly meter: Pick<Meter, 'configReloaded'>;
}

/** What a node makes of what was set at run time. */
export interface LiveState {
  /** Of what is in force; 0 for the configuration alone. */
  readonly version: number;
  /** Why what was set last is not in force. */
  readonly refusal?: string | undefined;
}

type Mutable = Record<string, unknown>;

/**
 * The settings of a node: those of its configuration, and above them what was set at run time.
 *
 * @remarks `config` is one object for the life of the process. Its hot sections are rewritten in one turn, so whoever keeps a
 * section and reads a key when it needs it goes by the latest value, and nobody sees a part of a change. Who has to do something
 * about a change is told when all of it is there.
 */
export class LiveSettings {
  /** What is in force. */
  readonly config: Config;
  readonly #base: Config;
  readonly #told: (() => void)[] = [];
  /** The configuration with hot keys above it. */
  #set: Config;
  #listeners: ReadonlyMap<string, SettingsTree> = new Map();
  #shown: Config;
  #state: LiveState = { version: 0 };
  /** What was looked at last, in force or refused. */
  #seen = '';
  #reading: Promise<unknown> = Promise.resolve();

  constructor(base: Config) {
    this.#base = base;
    this.#set = base;
    this.#shown = base;
    const live: Mutable = { ...base, listeners: { ...base.listeners } };
    for (const section of HOT_SECTIONS) live[section] = structuredClone(base[section]);
    // The same shape, in which hot sections are not frozen.
    this.config = live as unknown as Config;
  }

  /** What is in force, with where each value comes from. */
  get shown(): Config {
    return this.#shown;
  }

  get state(): LiveState {
    return this.#state;
  }

  /** Calls back when settings have changed. */
  onChange(changed: () => void): void {
    this.#told.push(changed);
  }

  /**
   * Lays listeners over the configuration, those that were there before being replaced. What is wrong with one leaves this one
   * as it was.
   *
   * @returns why some of them are not in force, by name.
   */
  setListeners(overlays: ReadonlyMap<string, SettingsTree>): ReadonlyMap<string, string> {
    const taken = new Map<string, SettingsTree>();
    const refusals = new Map<string, string>();
    for (const [name, settings] of overlays) {
      const made = withListeners(this.#base, new Map([[name, settings]]));
      const before = this.#listeners.get(name);
      if (made.kind === 'overridden') taken.set(name, settings);
      else if (before !== undefined) taken.set(name, before);
      if (made.kind === 'faulty') refusals.set(name, textOf(made.faults));
    }
    this.#listeners = taken;
    this.#show();
    return refusals;
  }

  /** Goes by what is stored at this moment, and by every change from now on. While the store is away nothing changes. */
  async drive(parts: LiveSettingsParts): Promise<void> {
    await this.refresh(parts).catch(() => undefined);
    parts.store.watch((stored) => {
      // What is read anew is never older than what a command has brought; the watch may be.
      this.refresh(parts).catch(() => this.#take(stored.find(isConfig), parts));
    });
  }

  /** Goes by what is stored at this moment. Rejects when the store is away. */
  async refresh(parts: LiveSettingsParts): Promise<LiveState> {
    // One reading after the other: an answer that comes late is not older than what is in force.
    const read = this.#reading.then(() => parts.store.get(CONFIG_DOCUMENT_ID));
    const taken = read.then((stored) => this.#take(stored, parts));
    this.#reading = taken.catch(() => undefined);
    await taken;
    return this.#state;
  }

  /**
   * Goes by a document that differs from the one before, whichever has the higher version: a master of the store that has lost
   * its latest writes counts anew, and what all nodes then read is what holds.
   */
  #take(stored: Stored | undefined, { log, meter }: LiveSettingsParts): void {
    const { version = 0, overrides = {}, by = '' } = stored?.item ?? {};
    const seen = JSON.stringify([version, overrides]);
    if (seen === this.#seen || (version === 0 && this.#seen === '')) return;
    this.#seen = seen;
    const made = withOverrides(this.#base, overrides);
    if (made.kind === 'faulty') {
      const refusal = textOf(made.faults);
      this.#state = { ...this.#state, refusal };
      meter.configReloaded('failed');
      return log.error('config-refused', { version, reason: refusal });
    }
    this.#set = made.config;
    this.#show();
    this.#state = { version };
    for (const section of HOT_SECTIONS) rewrite(this.config[section], made.config[section]);
    for (const changed of this.#told) changed();
    meter.configReloaded('ok');
    log.info('config-changed', { version, by });
  }

  #show(): void {
    const made = withListeners(this.#set, this.#listeners);
    // Each of them was found right alone, and hot keys do not concern them.
    this.#shown = made.kind === 'overridden' ? made.config : this.#set;
    const live: Record<string, Config['listeners'][string]> = this.config.listeners;
    // The rules of one that goes are kept: a connection may be on its way in.
    for (const [name, last] of Object.entries(live)) live[name] = { ...last, enabled: false };
    Object.assign(live, this.#shown.listeners);
  }
}

function textOf(faults: readonly { readonly field: string; readonly problem: string }[]): string {
  return faults.map(({ field, problem }) => `${field} ${problem}`).join('; ');
}

function isConfig(stored: Stored): boolean {
  return stored.item.id === CONFIG_DOCUMENT_ID;
}

/** Makes one object equal to another one. */
function rewrite(target: object, source: object): void {
  const here = target as Mutable;
  for (const key of Object.keys(here)) if (!(key in source)) delete here[key];
  for (const [key, value] of Object.entries(source)) {
    const present = here[key];
    if (isTree(present) && isTree(value)) rewrite(present, value);
    else here[key] = value;
  }
}

function isTree(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
