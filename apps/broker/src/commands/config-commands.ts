import type {
  CommandOf,
  ConfigAnswers,
  ConfigCommand,
  WireConfig,
  WireConfigChange,
} from '#libs/api-contracts';
import { CONFIG_DOCUMENT_ID } from '#libs/broker-ports';
import { withOverrides, type Config } from '#libs/config';
import type { Logs } from '#libs/nest-support';
import type { LiveSettings, LiveSettingsParts } from '../settings/live-settings.ts';

/** What commands on settings work on. */
export interface ConfigCommandsOptions extends LiveSettingsParts {
  /** The configuration without what was set at run time. */
  readonly base: Config;
  readonly live: LiveSettings;
  readonly logs: Pick<Logs, 'levels' | 'set'>;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

/** Settings of a node that change while it runs. */
export class ConfigCommands {
  readonly #options: ConfigCommandsOptions;

  constructor(options: ConfigCommandsOptions) {
    this.#options = options;
  }

  /** Carries out a command of this group. */
  answer(
    command: ConfigCommand,
  ):
    | Promise<ConfigAnswers[ConfigCommand['kind']]>
    | ConfigAnswers['check-config' | 'log-levels' | 'set-log-level'] {
    const { live, logs } = this.#options;
    switch (command.kind) {
      case 'config':
        return this.#stored();
      case 'put-config':
        return this.#put(command);
      case 'check-config':
        return this.#check(command);
      case 'refresh-config':
        return live.refresh(this.#options);
      case 'log-levels':
        return { levels: logs.levels() };
      case 'set-log-level':
        return this.#setLevel(command);
    }
  }

  async #stored(): Promise<WireConfig> {
    const found = await this.#options.store.get(CONFIG_DOCUMENT_ID);
    if (found === undefined) return { version: 0, overrides: {}, revision: 0 };
    const { version, overrides, by, atMs } = found.item;
    return { version, overrides, by, atMs, revision: found.revision };
  }

  async #put(command: CommandOf<'put-config'>): Promise<WireConfigChange> {
    const { base, store, nowMs } = this.#options;
    const { version, overrides, by, revision } = command;
    const made = withOverrides(base, overrides);
    if (made.kind === 'faulty') return { kind: 'invalid', faults: made.faults };
    const item = { id: CONFIG_DOCUMENT_ID, version, overrides, by, atMs: nowMs() } as const;
    const { kind } = await store.put(item, revision === 0 ? undefined : revision);
    return { kind: kind === 'stored' ? 'stored' : 'conflict' };
  }

  #check({ overrides }: CommandOf<'check-config'>): ConfigAnswers['check-config'] {
    const made = withOverrides(this.#options.base, overrides);
    return { faults: made.kind === 'faulty' ? made.faults : [] };
  }

  #setLevel(command: CommandOf<'set-log-level'>): ConfigAnswers['set-log-level'] {
    const { logs, nowMs } = this.#options;
    const { component, level, forMs } = command;
    const untilMs = forMs === undefined ? undefined : nowMs() + forMs;
    const isKnown = logs.set({ component, level, untilMs });
    return { levels: logs.levels(), isKnown };
  }
}
