import {
  delayedStoreSuite,
  exclusiveStoreSuite,
  retainedStoreSuite,
  ruleStoreSuite,
  sessionStoreSuite,
} from '#libs/testkit';
import { LocalDelayedStore } from './local-delayed-store.ts';
import { LocalExclusiveStore } from './local-exclusive-store.ts';
import { LocalRetainedStore } from './local-retained-store.ts';
import { LocalRuleStore } from './local-rule-store.ts';
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

ruleStoreSuite('LocalRuleStore in memory', async () => {
  const store = new LocalRuleStore();
  return { store, close: () => store.close() };
});

delayedStoreSuite('LocalDelayedStore in memory', async () => {
  const store = new LocalDelayedStore({ clock });
  return { store, close: () => store.close() };
});

exclusiveStoreSuite('LocalExclusiveStore in memory', async () => {
  const store = new LocalExclusiveStore();
  return { store, close: () => store.close() };
});
