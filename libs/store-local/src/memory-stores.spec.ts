import type { BridgeRule, Connector } from '#libs/broker-ports';
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
} from '#libs/testkit';
import { openLocalApiState } from './local-api-state.ts';
import { LocalDeadLetterStore } from './local-dead-letter-store.ts';
import { LocalDefinitionStore } from './local-definition-store.ts';
import { LocalDelayedStore } from './local-delayed-store.ts';
import { LocalExclusiveStore } from './local-exclusive-store.ts';
import { LocalRetainedStore } from './local-retained-store.ts';
import { LocalSessionStore } from './local-session-store.ts';

const clock = Date.now;

sessionStoreSuite('LocalSessionStore in memory', async () => {
  const store = new LocalSessionStore({ clock });
  return { store, close: () => store.close() };
});

retainedStoreSuite('LocalRetainedStore in memory', async () => {
  const store = new LocalRetainedStore({ clock });
  return { store, close: () => store.close() };
});

ruleStoreSuite('LocalDefinitionStore in memory', async () => {
  const store = new LocalDefinitionStore<BridgeRule>('rules');
  return { store, close: () => store.close() };
});

connectorStoreSuite('LocalDefinitionStore in memory', async () => {
  const store = new LocalDefinitionStore<Connector>('connectors');
  return { store, close: () => store.close() };
});

definitionStoreSuite('LocalDefinitionStore of users in memory', async () => {
  const store = new LocalDefinitionStore<SampleDefinition>('users');
  return { store, close: () => store.close() };
});

delayedStoreSuite('LocalDelayedStore in memory', async () => {
  const store = new LocalDelayedStore({ clock });
  return { store, close: () => store.close() };
});

deadLetterStoreSuite('LocalDeadLetterStore in memory', async () => {
  const store = new LocalDeadLetterStore(DEAD_LETTER_BOUNDS, { clock });
  return { store, close: () => store.close() };
});

exclusiveStoreSuite('LocalExclusiveStore in memory', async () => {
  const store = new LocalExclusiveStore();
  return { store, close: () => store.close() };
});

apiStateSuite('The local ApiState in memory', async () => {
  const store = await openLocalApiState({ clock });
  return { store, close: () => store.close() };
});
