import {
  CONFIG_DOCUMENT_ID,
  type ConfigDocument,
  type DefinitionStore,
  type Log,
  type Meter,
  type StoredDefinition,
} from '#libs/broker-ports';
import { HOT_SECTIONS, withOverrides, type Config } from '#libs/config';

/** What of the store of settings is needed. */
export type ConfigStore = Pick<DefinitionStore<ConfigDocument>, 'get' | 'put' | 'watch'>;

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
  #shown: Config;
  #state: LiveState = { version: 0 };

  constructor(base: Config) {
    this.#base = base;
    this.#shown = base;
    const live: Mutable = { ...base };
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

  /** Goes by what is stored at this moment, and by every change from now on. While the store is away nothing changes. */
  async drive(parts: LiveSettingsParts): Promise<void> {
    await this.refresh(parts).catch(() => undefined);
    parts.store.watch((stored) => {
      this.#take(stored.find(isConfig), parts);
    });
  }

  /** Goes by what is stored at this moment. Rejects when the store is away. */
  async refresh(parts: LiveSettingsParts): Promise<LiveState> {
    this.#take(await parts.store.get(CONFIG_DOCUMENT_ID), parts);
    return this.#state;
  }

  #take(
    stored: StoredDefinition<ConfigDocument> | undefined,
    { log, meter }: LiveSettingsParts,
  ): void {
    const { version = 0, overrides = {}, by = '' } = stored?.item ?? {};
    // The watch may tell of what a command has brought already, and a refused one is not tried again.
    if (version <= this.#state.version && stored !== undefined) return;
    if (version === this.#state.version) return;
    const made = withOverrides(this.#base, overrides);
    if (made.kind === 'faulty') {
      const refusal = made.faults.map(({ field, problem }) => `${field} ${problem}`).join('; ');
      if (refusal === this.#state.refusal) return;
      this.#state = { ...this.#state, refusal };
      meter.configReloaded('failed');
      return log.error('config-refused', { version, reason: refusal });
    }
    this.#shown = made.config;
    this.#state = { version };
    for (const section of HOT_SECTIONS) rewrite(this.config[section], made.config[section]);
    for (const changed of this.#told) changed();
    meter.configReloaded('ok');
    log.info('config-changed', { version, by });
  }
}

function isConfig(stored: StoredDefinition<{ readonly id: string }>): boolean {
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
