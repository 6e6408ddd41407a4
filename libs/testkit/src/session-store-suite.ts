import { describe } from '@jest/globals';
import type { SessionStore } from '#libs/broker-ports';
import { useStore, type StoreFactory } from './store-under-test.ts';
import { sessionExpiryCases, sessionOwnersCases } from './session-expiry-cases.ts';
import { sessionOnceCases } from './session-once-cases.ts';
import { sessionQueueCases, sessionSurvivalCases } from './session-queue-cases.ts';
import { sessionTakeCases, sessionTakeOverCases } from './session-take-cases.ts';
import { sessionPartialCases } from './session-partial-cases.ts';
import { sessionWillCases } from './session-will-cases.ts';
import { sessionFencingCases, sessionWriteCases } from './session-write-cases.ts';

/**
 * What every SessionStore must do: registers the tests, to be called in a spec file.
 *
 * @remarks Times that are given to the store are real ones, so a store may also let data expire by its own clock; no case
 * waits for that. Beyond the sentences of the port it asks that a write to a session that is not there is answered with
 * `fenced` and leaves nothing behind, and that a former owner stays refused when its session has ended and another node
 * has made a new one (begin the epochs of a new session at its creation time in milliseconds, compare for equality).
 */
export function sessionStoreSuite(name: string, factory: StoreFactory<SessionStore>): void {
  describe(`${name} as a SessionStore`, () => {
    const current = useStore(factory);
    sessionTakeCases(current);
    sessionTakeOverCases(current);
    sessionExpiryCases(current);
    sessionOwnersCases(current);
    sessionFencingCases(current);
    sessionWriteCases(current);
    sessionWillCases(current);
    sessionQueueCases(current);
    sessionOnceCases(current);
    sessionSurvivalCases(current);
  });
}

/** What a SessionStore must do that may fail in part: its sessions are in several places. */
export function partialSessionStoreSuite(name: string, factory: StoreFactory<SessionStore>): void {
  describe(`${name} as a SessionStore in parts`, () => {
    sessionPartialCases(useStore(factory));
  });
}
