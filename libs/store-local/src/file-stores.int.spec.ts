import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DefinitionStore } from '#libs/broker-ports';
import {
  apiStateSuite,
  DEAD_LETTER_BOUNDS,
  deadLetterStoreSuite,
  delayedStoreSuite,
  exclusiveStoreSuite,
  retainedStoreSuite,
  connectorStoreSuite,
  definitionStoreSuite,
  ruleStoreSuite,
  sessionStoreSuite,
  type SampleDefinition,
  type StoreFactory,
} from '#libs/testkit';
import { openLocalApiState } from './local-api-state.ts';
import { openLocalStores, type LocalStores } from './local-stores.ts';

/** One of the stores of a data directory that lasts for a test. */
function inDirectory<Store>(pick: (stores: LocalStores) => Store): StoreFactory<Store> {
  return async () => {
    const dir = await mkdtemp(join(tmpdir(), 'skein-store-'));
    const deadLetters = DEAD_LETTER_BOUNDS;
    const open = () => openLocalStores({ dir, clock: Date.now, deadLetters });
    let stores = await open();
    return {
      store: pick(stores),
      reopen: async () => {
        await stores.close();
        stores = await open();
        return pick(stores);
      },
      close: async () => {
        await stores.close();
        await rm(dir, { recursive: true });
      },
    };
  };
}

sessionStoreSuite(
  'LocalSessionStore in a file',
  inDirectory(({ sessions }) => sessions),
);
retainedStoreSuite(
  'LocalRetainedStore in a file',
  inDirectory(({ retained }) => retained),
);
ruleStoreSuite(
  'LocalDefinitionStore in a file',
  inDirectory(({ rules }) => rules),
);
connectorStoreSuite(
  'LocalDefinitionStore in a file',
  inDirectory(({ connectors }) => connectors),
);
definitionStoreSuite(
  'LocalDefinitionStore of users in a file',
  // Whatever has an id is kept as it is.
  inDirectory(({ users }) => users as unknown as DefinitionStore<SampleDefinition>),
);
delayedStoreSuite(
  'LocalDelayedStore in a file',
  inDirectory(({ delayed }) => delayed),
);
deadLetterStoreSuite(
  'LocalDeadLetterStore in a file',
  inDirectory(({ deadLetters }) => deadLetters),
);
exclusiveStoreSuite(
  'LocalExclusiveStore in a file',
  inDirectory(({ exclusive }) => exclusive),
);

apiStateSuite('The local ApiState in a file', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'skein-api-'));
  const open = () => openLocalApiState({ dir, clock: Date.now });
  let store = await open();
  return {
    store,
    reopen: async () => {
      await store.close();
      store = await open();
      return store;
    },
    close: async () => {
      await store.close();
      await rm(dir, { recursive: true });
    },
  };
});
