import {
  isListenerCommand,
  type ListenerAnswers,
  type ListenerCommand,
  type NodeCommand,
} from '#libs/api-contracts';
import type { ListenerDocument } from '#libs/broker-ports';
import type { Config } from '#libs/config';
import { LocalDefinitionStore } from '#libs/store-local';
import { silentLog } from '#libs/testkit';
import { ListenerCommands } from '../../apps/broker/src/commands/listener-commands.ts';
import { LiveListeners } from '../../apps/broker/src/listeners/live-listeners.ts';
import type { LiveSettings } from '../../apps/broker/src/settings/live-settings.ts';
import type { BoundListener } from '../../apps/broker/src/wiring/open-files.ts';
import type { FakeSystem } from './fake-system.ts';

/** Listeners that are made at run time, for all fake nodes that are given the same one. */
export const listenerStore = (): LocalDefinitionStore<ListenerDocument> =>
  new LocalDefinitionStore<ListenerDocument>('listeners');

/** The changing listeners of a fake node: the node's own code without a port. */
export class FakeListeners {
  readonly #commands: ListenerCommands;

  constructor(
    base: Config,
    own: { readonly live: LiveSettings; readonly system: FakeSystem },
    store = listenerStore(),
  ) {
    const { live, system } = own;
    let added: ReadonlySet<string> = new Set();
    const replace = (bounds: readonly BoundListener[]): Promise<void> => {
      const further = bounds.filter(({ settings: { name } }) => base.listeners[name] === undefined);
      const made = added;
      added = new Set(further.map(({ settings: { name } }) => name));
      system.listeners = [
        ...system.listeners.filter(({ name }) => !made.has(name)),
        ...further.map(({ settings: { name, port }, connectionsMax }) => ({
          ...{ name, connectionsMax, type: 'tcp' as const, state: 'listening' as const },
          ...{ address: `mqtt://h:${String(port)}`, connections: 0 },
        })),
      ];
      return Promise.resolve();
    };
    const listeners = new LiveListeners({
      ...{ store, live, set: { replace }, openFilesMax: Infinity, log: silentLog },
    });
    listeners.drive();
    this.#commands = new ListenerCommands({ store, base, live: listeners });
  }

  takes(command: NodeCommand): command is ListenerCommand {
    return isListenerCommand(command);
  }

  answer(command: ListenerCommand): Promise<ListenerAnswers[ListenerCommand['kind']]> {
    return this.#commands.answer(command);
  }
}
