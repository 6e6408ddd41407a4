import type { AclDocument, AuthDocument, Ban, FlappingDocument, StoredUser } from '#libs/access';
import {
  DEAD_LETTER_BOUNDS_USUAL,
  type ConfigDocument,
  type ConnectorStore,
  type DeadLetterBounds,
  type DeadLetterStore,
  type DefinitionStore,
  type ListenerDocument,
  type DelayedStore,
  type ExclusiveStore,
  type RetainedStore,
  type RuleOrderDocument,
  type RuleStore,
  type SessionStore,
  type MessageSchedule,
  type TopicMetricDefinition,
} from '#libs/broker-ports';
import { LmdbJournal } from './lmdb-journal.ts';
import { LocalDeadLetterStore } from './local-dead-letter-store.ts';
import { LocalDefinitionStore } from './local-definition-store.ts';
import { LocalDelayedStore } from './local-delayed-store.ts';
import { LocalExclusiveStore } from './local-exclusive-store.ts';
import { LocalRetainedStore } from './local-retained-store.ts';
import { LocalSessionStore } from './local-session-store.ts';

/** Where the stores of an embedded node are. */
export interface LocalStoresOptions {
  /** The directory of the data file, made if needed; undefined keeps all in memory only. */
  readonly dir?: string | undefined;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** @defaultValue {@link DEAD_LETTER_BOUNDS_USUAL} */
  readonly deadLetters?: DeadLetterBounds;
}

/** What is kept of settings that were made at run time, by its id. */
export type SettingsDocument = FlappingDocument | ConfigDocument | AuthDocument | RuleOrderDocument;

/** The stores of an embedded node. */
export interface LocalStores {
  readonly sessions: SessionStore;
  readonly retained: RetainedStore;
  readonly rules: RuleStore;
  readonly connectors: ConnectorStore;
  readonly users: DefinitionStore<StoredUser>;
  readonly acl: DefinitionStore<AclDocument>;
  readonly bans: DefinitionStore<Ban>;
  /** Settings that were made at run time. */
  readonly settings: DefinitionStore<SettingsDocument>;
  /** Listeners that were made or changed at run time. */
  readonly listeners: DefinitionStore<ListenerDocument>;
  /** Filters whose messages are counted. */
  readonly topicMetrics: DefinitionStore<TopicMetricDefinition>;
  /** Messages that are published at their times. */
  readonly schedules: DefinitionStore<MessageSchedule>;
  readonly delayed: DelayedStore;
  readonly exclusive: ExclusiveStore;
  readonly deadLetters: DeadLetterStore;
  /** Writes what is pending and closes the file, after the stores' own close(). */
  close(): Promise<void>;
}

/**
 * Opens the stores of an embedded node: in memory, or in memory and a file.
 *
 * @remarks With a directory, a call of a store resolves when what it changed is synced to the disk, together with all
 * that changed in the same turn. All data is read into memory here: it must fit. One process may use a directory at a time.
 *
 * @throws Error when the directory cannot be used, or its file is damaged or of another version.
 */
export async function openLocalStores({
  dir,
  clock,
  deadLetters = DEAD_LETTER_BOUNDS_USUAL,
}: LocalStoresOptions): Promise<LocalStores> {
  const journal = dir === undefined ? undefined : await LmdbJournal.open(dir);
  try {
    return {
      sessions: new LocalSessionStore({ clock, journal }),
      retained: new LocalRetainedStore({ clock, journal }),
      rules: new LocalDefinitionStore('rules', { journal }),
      connectors: new LocalDefinitionStore('connectors', { journal }),
      users: new LocalDefinitionStore('users', { journal }),
      acl: new LocalDefinitionStore('acl', { journal }),
      bans: new LocalDefinitionStore('bans', { journal }),
      settings: new LocalDefinitionStore('settings', { journal }),
      listeners: new LocalDefinitionStore('listeners', { journal }),
      topicMetrics: new LocalDefinitionStore('topic-metrics', { journal }),
      schedules: new LocalDefinitionStore('schedules', { journal }),
      delayed: new LocalDelayedStore({ clock, journal }),
      exclusive: new LocalExclusiveStore({ journal }),
      deadLetters: new LocalDeadLetterStore(deadLetters, { clock, journal }),
      close: async () => journal?.close(),
    };
  } catch (error) {
    await journal?.close();
    throw error;
  }
}
