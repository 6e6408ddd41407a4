import { describe, expect, it } from '@jest/globals';
import { AccessControl, Acl, type AclDocument, type AclRule } from '#libs/access';
import { LocalDefinitionStore, LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { fakeClock, MemoryNode, RecordingLog } from '#libs/testkit';
import { GeneralRules } from '../general-rules.ts';
import { AccessCommands } from './access-commands.ts';

const rule = (effect: 'allow' | 'deny', topic: string): AclRule => ({
  ...{ effect, actions: ['publish', 'subscribe'], topics: [topic] },
});
const CONFIGURED = [rule('deny', 'fixed/secret')];
const OWN = [rule('allow', 'own/#')];

async function setUp() {
  const clock = fakeClock();
  const log = new RecordingLog();
  const store = new LocalDefinitionStore<AclDocument>('acl');
  const control = new AccessControl(new Acl(CONFIGURED, 'deny'));
  const { node } = new MemoryNode({
    clock,
    sessions: new LocalSessionStore({ clock: clock.now }),
    retained: new LocalRetainedStore({ clock: clock.now }),
    access: { control, deniedPublish: 'close' },
  });
  await node.start();
  const rules = new GeneralRules({ configured: CONFIGURED, fallback: 'deny', store, log });
  rules.drive(node);
  const commands = new AccessCommands({
    ...{ node, rules },
    accessOf: async (user) => (user === 'ann' ? { groups: ['crew'], rules: OWN } : undefined),
  });
  const put = (list: readonly AclRule[], revision: number) =>
    commands.putAcl({ kind: 'put-acl', rules: list, revision });
  const ask = async (topic: string, username = 'bob') => {
    const subject = { clientId: 'c', username, groups: [], address: '10.0.0.1' };
    const requests = [{ kind: 'publish', topic, qos: 0, retain: false }] as const;
    const kind = 'simulate-access';
    return (await commands.simulate({ kind, subject, requests })).verdicts[0];
  };
  return { commands, put, ask, log, store };
}

describe('the general rules', () => {
  it('are changed as a whole by whoever has seen them', async () => {
    const { commands, put } = await setUp();
    const none = { configured: CONFIGURED, stored: [], revision: 0, fallback: 'deny' };
    expect(await commands.acl()).toEqual(none);
    const first = await put([rule('allow', 'a')], 0);
    expect(first).toEqual({ kind: 'stored', revision: 1 });
    expect(await put([], 0)).toEqual({ kind: 'conflict' });
    expect(await put([], 7)).toEqual({ kind: 'conflict' });
    expect(await put([rule('allow', 'b')], 1)).toEqual({ kind: 'stored', revision: 2 });
    expect(await commands.acl()).toMatchObject({ stored: [rule('allow', 'b')], revision: 2 });
  });

  it('are refused when one of them cannot be', async () => {
    const { put, commands } = await setUp();
    const refused = await put([rule('allow', '$share/g/a')], 0);
    expect(refused).toEqual({ kind: 'invalid', detail: expect.stringContaining('$share/g/a') });
    expect(await commands.acl()).toMatchObject({ revision: 0 });
  });

  it('stay as they are when the store has some that cannot be', async () => {
    const { put, ask, store, log } = await setUp();
    await put([rule('allow', 'a')], 0);
    await store.put({ id: 'general', rules: [rule('allow', 'a/#/b')] }, 1);
    expect(log.of('acl-refused')).toHaveLength(1);
    expect(await ask('a')).toMatchObject({ allowed: true });
  });
});

describe('what somebody may do', () => {
  it('is decided by the rules in force, in their order', async () => {
    const { put, ask } = await setUp();
    const stored = [rule('deny', 'a/b'), rule('allow', '#')];
    await put(stored, 0);
    expect(await ask('a/b')).toEqual({
      ...{ allowed: false, except: undefined },
      rule: { source: 'api', index: 0, rule: stored[0] },
    });
    expect(await ask('a/c')).toMatchObject({ allowed: true, rule: { source: 'api', index: 1 } });
    // No key of the API lifts what the configuration denies.
    const fixed = await ask('fixed/secret');
    expect(fixed).toMatchObject({ allowed: false, rule: { source: 'config', index: 0 } });
  });

  it('has the rules of the user first, and a default at the end', async () => {
    const { ask } = await setUp();
    const own = { allowed: true, rule: { source: 'user', index: 0, rule: OWN[0] } };
    expect(await ask('own/a', 'ann')).toMatchObject(own);
    expect(await ask('own/a')).toEqual({ allowed: false, rule: undefined, except: undefined });
  });

  it('is asked of the topic that a delayed message is for', async () => {
    const { put, ask } = await setUp();
    await put([rule('allow', '#')], 0);
    expect(await ask('$delayed/5/fixed/secret')).toMatchObject({ allowed: false });
    expect(await ask('$delayed/5/a')).toMatchObject({ allowed: true });
  });
});
