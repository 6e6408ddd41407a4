import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  delayedStoreSuite,
  exclusiveStoreSuite,
  retainedStoreSuite,
  connectorStoreSuite,
  ruleStoreSuite,
  sessionStoreSuite,
  type StoreFactory,
} from '#libs/testkit';
import { openLocalStores, type LocalStores } from './local-stores.ts';

/** One of the stores of a data directory that lasts for a test. */
function inDirectory<Store>(pick: (stores: LocalStores) => Store): StoreFactory<Store> {
  return async () => {
    const dir = await mkdtemp(join(tmpdir(), 'skein-store-'));
    const open = () => openLocalStores({ dir, clock: Date.now });
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
delayedStoreSuite(
  'LocalDelayedStore in a file',
  inDirectory(({ delayed }) => delayed),
);
exclusiveStoreSuite(
  'LocalExclusiveStore in a file',
  inDirectory(({ exclusive }) => exclusive),
);
