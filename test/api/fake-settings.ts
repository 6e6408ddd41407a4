import {
  isConfigCommand,
  type ConfigAnswers,
  type ConfigCommand,
  type NodeCommand,
  type WireSetting,
} from '#libs/api-contracts';
import { CONFIG_DOCUMENT_ID, type ConfigDocument } from '#libs/broker-ports';
import { settingsInForce, type Config } from '#libs/config';
import { Logs } from '#libs/nest-support';
import { LocalDefinitionStore, type SettingsDocument } from '#libs/store-local';
import { silentLog } from '#libs/testkit';
import { ConfigCommands } from '../../apps/broker/src/commands/config-commands.ts';
import { LiveSettings } from '../../apps/broker/src/settings/live-settings.ts';
import { partOf } from '../../apps/broker/src/settings/settings-store.ts';

/** What is set at run time, for all fake nodes that are given the same one. */
export const settingsStore = (): LocalDefinitionStore<SettingsDocument> =>
  new LocalDefinitionStore<SettingsDocument>('settings');

/** The settings of a fake node: the node's own code, on a store in memory. */
export class FakeSettings {
  readonly live: LiveSettings;
  readonly #commands: ConfigCommands;

  constructor(base: Config, settings = settingsStore()) {
    this.live = new LiveSettings(base);
    const logs = new Logs({ level: 'info', format: 'text', write: () => {} });
    for (const component of ['bridge', 'process']) logs.of(component);
    const isConfig = (document: SettingsDocument): document is ConfigDocument =>
      document.id === CONFIG_DOCUMENT_ID;
    this.#commands = new ConfigCommands({
      ...{ store: partOf(settings, isConfig), log: silentLog, meter: { configReloaded() {} } },
      ...{ base, live: this.live, logs, nowMs: Date.now },
    });
  }

  takes(command: NodeCommand): command is ConfigCommand {
    return isConfigCommand(command);
  }

  async answer(command: ConfigCommand): Promise<ConfigAnswers[ConfigCommand['kind']]> {
    return this.#commands.answer(command);
  }

  shown(): readonly WireSetting[] {
    return settingsInForce(this.live.shown);
  }
}
