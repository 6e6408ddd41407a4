import type { FactoryProvider } from '@nestjs/common';
import type { BrokerNode } from '#libs/broker-core';
import { CONFIG_DOCUMENT_ID, type ConfigDocument, type Log } from '#libs/broker-ports';
import { loadConfig, type Config } from '#libs/config';
import type { PromMeter } from '#libs/metrics-prom';
import { Logs } from '#libs/nest-support';
import { ConfigCommands } from '../commands/config-commands.ts';
import { RecentLog } from '../insight/recent-log.ts';
import { ListenerCommands } from '../commands/listener-commands.ts';
import type { ListenerSet } from '../listeners/listener-set.ts';
import { LiveListeners } from '../listeners/live-listeners.ts';
import { LiveSettings } from '../settings/live-settings.ts';
import { partOf } from '../settings/settings-store.ts';
import { openFilesMax } from './open-files.ts';
import type { OverloadWatch } from './overload.ts';
import type { Stores } from './stores.ts';
import {
  BASE_CONFIG,
  COMPONENT_LOGS,
  CONFIG,
  CONFIG_COMMANDS,
  LISTENERS,
  LISTENER_COMMANDS,
  LIVE,
  LIVE_LISTENERS,
  LOGS,
  METER,
  RECENT_LOG,
  STORES,
} from './tokens.ts';

/** The configuration, what was set above it at run time, and the logs of the components. */
export const settingsProviders: readonly FactoryProvider[] = [
  { provide: BASE_CONFIG, useFactory: (): Config => loadConfig({ argv: process.argv.slice(2) }) },
  {
    provide: LIVE,
    inject: [BASE_CONFIG],
    useFactory: (base: Config) => new LiveSettings(base),
  },
  // Whoever keeps a section of it goes by its latest values.
  { provide: CONFIG, inject: [LIVE], useFactory: ({ config }: LiveSettings) => config },
  {
    provide: LOGS,
    inject: [CONFIG, RECENT_LOG],
    useFactory: ({ log }: Config, recent: RecentLog) =>
      new Logs({
        ...log,
        write: (line) => {
          process.stdout.write(`${line}\n`);
          recent.add(line);
        },
      }),
  },
  { provide: RECENT_LOG, useFactory: () => new RecentLog() },
  ...Object.entries(COMPONENT_LOGS).map(([component, provide]) => ({
    provide,
    inject: [LOGS],
    useFactory: (logs: Logs): Log => logs.of(component),
  })),
  {
    provide: CONFIG_COMMANDS,
    inject: [BASE_CONFIG, LIVE, LOGS, STORES, METER, COMPONENT_LOGS.process],
    useFactory: openConfigCommands,
  },
  {
    provide: LIVE_LISTENERS,
    inject: [LIVE, STORES, LISTENERS, COMPONENT_LOGS.listeners],
    useFactory: openLiveListeners,
  },
  {
    provide: LISTENER_COMMANDS,
    inject: [BASE_CONFIG, STORES, LIVE_LISTENERS],
    useFactory: (base: Config, { listeners: store }: Stores, live: LiveListeners) =>
      new ListenerCommands({ base, store, live }),
  },
];

type Inputs = [Config, LiveSettings, Logs, Stores, PromMeter, Log];

function openConfigCommands(...inputs: Inputs): ConfigCommands {
  const [base, live, logs, stores, meter, log] = inputs;
  const parts = { store: configStore(stores), log, meter };
  return new ConfigCommands({ ...parts, base, live, logs, nowMs: Date.now });
}

type ListenerInputs = [LiveSettings, Stores, ListenerSet, Log];

function openLiveListeners(...[live, stores, set, log]: ListenerInputs): LiveListeners {
  const { listeners: store } = stores;
  return new LiveListeners({ live, store, set, log, openFilesMax: openFilesMax() });
}

/** Where what was set at run time is kept. */
export function configStore({ settings }: Stores): ReturnType<typeof partOf<ConfigDocument>> {
  return partOf(settings, (document) => document.id === CONFIG_DOCUMENT_ID);
}

/** Has those parts of a node follow its settings that have to do something about a change. */
export function followSettings(
  live: LiveSettings,
  {
    logs,
    node,
    overload,
  }: {
    readonly logs: Logs;
    readonly node: Pick<BrokerNode, 'renewBounds'>;
    readonly overload: Pick<OverloadWatch, 'settingsChanged'>;
  },
): void {
  live.onChange(() => {
    logs.level = live.config.log.level;
    overload.settingsChanged();
    node.renewBounds();
  });
}
