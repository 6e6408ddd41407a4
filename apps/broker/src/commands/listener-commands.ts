import type {
  CommandOf,
  ListenerAnswers,
  ListenerCommand,
  WireListenerChange,
  WireListenerSettings,
} from '#libs/api-contracts';
import type { DefinitionWriteResult, ListenerDocument, StoredDefinition } from '#libs/broker-ports';
import { withListeners, type Config } from '#libs/config';
import type { ListenerStore, LiveListeners } from '../listeners/live-listeners.ts';

/** Metrics tell so many apart from those of the configuration. */
const LISTENERS_MAX = 64;

/** What commands on listeners that are made at run time work on. */
export interface ListenerCommandsOptions {
  readonly store: ListenerStore;
  /** The configuration without what was set at run time. */
  readonly base: Config;
  readonly live: Pick<LiveListeners, 'refresh' | 'refusals'>;
}

/** Listeners of a node that are made, changed and removed while it runs. */
export class ListenerCommands {
  readonly #options: ListenerCommandsOptions;

  constructor(options: ListenerCommandsOptions) {
    this.#options = options;
  }

  /** Carries out a command of this group. */
  answer(command: ListenerCommand): Promise<ListenerAnswers[ListenerCommand['kind']]> {
    switch (command.kind) {
      case 'listener-settings':
        return this.#settings();
      case 'put-listener':
        return this.#put(command);
      case 'remove-listener':
        return this.#remove(command);
      case 'refresh-listeners':
        return this.#refresh();
    }
  }

  async #settings(): Promise<ListenerAnswers['listener-settings']> {
    const { base, store } = this.#options;
    const stored = (await store.list()).map(wired);
    return { stored, configured: Object.keys(base.listeners) };
  }

  async #put({ name, settings, revision }: CommandOf<'put-listener'>): Promise<WireListenerChange> {
    const { base, store } = this.#options;
    const made = withListeners(base, new Map([[name, settings]]));
    if (made.kind === 'faulty') return { kind: 'invalid', faults: made.faults };
    if (revision === undefined && (await store.list()).length >= LISTENERS_MAX) {
      return { kind: 'full' };
    }
    return changed(await store.put({ id: name, settings }, revision));
  }

  async #remove({ name, revision }: CommandOf<'remove-listener'>): Promise<WireListenerChange> {
    return changed(await this.#options.store.remove(name, revision));
  }

  async #refresh(): Promise<ListenerAnswers['refresh-listeners']> {
    const { live } = this.#options;
    await live.refresh();
    return { refusals: [...live.refusals].map(([name, detail]) => ({ name, detail })) };
  }
}

function wired({
  item: { id: name, settings },
  revision,
}: StoredDefinition<ListenerDocument>): WireListenerSettings {
  return { name, settings, revision };
}

function changed(result: DefinitionWriteResult<ListenerDocument>): WireListenerChange {
  return result.kind === 'stored' ? { kind: 'stored', stored: wired(result.stored) } : result;
}
