export type { Journal, JournalEntry, JournalPath } from './journal.ts';
export { openLocalApiState } from './local-api-state.ts';
export { LocalDelayedStore } from './local-delayed-store.ts';
export { LocalExclusiveStore } from './local-exclusive-store.ts';
export { LocalRetainedStore } from './local-retained-store.ts';
export { LocalDefinitionStore } from './local-definition-store.ts';
export { LocalSessionStore } from './local-session-store.ts';
export type { LocalStoreOptions } from './local-store-options.ts';
export {
  openLocalStores,
  type LocalStores,
  type LocalStoresOptions,
  type SettingsDocument,
} from './local-stores.ts';
export { LocalDeadLetterStore } from './local-dead-letter-store.ts';
