import { afterEach, describe, expect, it } from '@jest/globals';
import {
  AuthChain,
  PasswordCheck,
  type AuthDocument,
  type AuthSource,
  type Login,
} from '#libs/access';
import { NodeScramCrypto } from '#libs/access-sources';
import { loadConfig, type AuthSourceSettings } from '#libs/config';
import { LocalDefinitionStore } from '#libs/store-local';
import { silentLog, until } from '#libs/testkit';
import { AuthSources, type AuthSourcesParts } from './auth-sources.ts';

const HOOK = { kind: 'webhook', url: 'https://login.example/' };
const NOTHING = { backends: [], order: ['users', 'certificate'], chains: {} };
const DEADLINE_MS = 20_000;

const passwords = new PasswordCheck({
  ...{ crypto: new NodeScramCrypto(), saltSecret: 'x'.repeat(16), iterations: 4_096 },
  hashing: undefined,
});

/** Lets in everybody, under its own name. */
function named(user: string, backend: AuthSource['backend'] = 'webhook'): AuthSource {
  return {
    backend,
    login: async () => ({ kind: 'allowed', identity: { user, groups: [], rules: [] } }),
  };
}

const loginAt = (listener: string): Login => ({
  ...{ clientId: 'c', username: 'u', password: Buffer.from('p'), address: '', listener },
});

describe('who is asked who a client is', () => {
  const opened: AuthSourceSettings[] = [];
  afterEach(() => void opened.splice(0));

  const settings = (kind: 'users' | 'certificate') =>
    (kind === 'users' ? { kind } : { kind, name: 'commonName' }) as AuthSourceSettings;

  function sourcesOf(
    store = new LocalDefinitionStore<AuthDocument>('settings'),
    more: Partial<AuthSourcesParts> = {},
  ): AuthSources {
    return new AuthSources({
      configured: [
        { id: 'users', settings: settings('users'), source: named('of-users', 'password') },
        {
          ...{ id: 'certificate', settings: settings('certificate') },
          source: named('of-certificate', 'certificate'),
        },
      ],
      listeners: [
        { name: 'tcp', takesCertificates: false },
        { name: 'tls', takesCertificates: true },
      ],
      ...{ anonymous: false, store, log: silentLog },
      policy: loadConfig({ env: {} }).auth.rest,
      chainOf: (sources) => new AuthChain({ sources, passwords, anonymous: false }),
      open: async (wanted) => {
        opened.push(wanted);
        return named('of-hook');
      },
      ...more,
    });
  }

  async function userAt(sources: AuthSources, listener: string): Promise<string> {
    const verdict = await sources.login(loginAt(listener));
    return verdict.kind === 'allowed' ? (verdict.identity.user ?? '') : verdict.kind;
  }

  it('is nobody before what was set is known', async () => {
    const sources = sourcesOf();
    expect(await userAt(sources, 'tcp')).toBe('failed');
    await sources.drive();
    expect(await userAt(sources, 'tcp')).toBe('of-users');
  });

  it('changes at one listener while the other stays, on every node of a store', async () => {
    const store = new LocalDefinitionStore<AuthDocument>('settings');
    const [one, other] = [sourcesOf(store), sourcesOf(store)];
    await one.drive();
    await other.drive();
    const document = {
      backends: [{ id: 'hook', settings: HOOK }],
      order: ['users', 'certificate', 'hook'],
      chains: { tcp: ['hook', 'users'] },
    };
    expect(await one.check(document)).toEqual({ kind: 'sound' });
    expect(await one.replace(document, 0)).toEqual({ kind: 'stored', revision: 1 });
    await until(async () => (await userAt(other, 'tcp')) === 'of-hook', DEADLINE_MS);
    expect(await userAt(other, 'tls')).toBe('of-users');
    expect(await other.stored()).toMatchObject({
      revision: 1,
      chains: [
        { listener: 'tcp', backends: ['hook', 'users'], isOwn: true },
        { listener: 'tls', backends: ['users', 'certificate', 'hook'], isOwn: false },
      ],
    });
    expect(await one.replace(NOTHING, 0)).toEqual({ kind: 'conflict' });
    expect(await one.replace(NOTHING, 1)).toMatchObject({ kind: 'stored' });
    await until(async () => (await userAt(other, 'tcp')) === 'of-users', DEADLINE_MS);
  });

  it('holds at a listener that is made, or enabled, after it was set', async () => {
    const store = new LocalDefinitionStore<AuthDocument>('settings');
    const chains = { late: ['certificate'] };
    await store.put({ id: 'auth', ...NOTHING, chains }, undefined);
    const listeners = [{ name: 'tcp', takesCertificates: false }];
    const sources = sourcesOf(store, { listeners });
    await sources.drive();
    listeners.push({ name: 'late', takesCertificates: true });
    expect(await userAt(sources, 'late')).toBe('of-certificate');
    expect(await userAt(sources, 'tcp')).toBe('of-users');
  });

  it('keeps those whose settings have not changed', async () => {
    const sources = sourcesOf();
    await sources.drive();
    const hook = { id: 'hook', settings: HOOK };
    const order = ['hook', 'users', 'certificate'];
    const document = { backends: [hook], order, chains: {} };
    await sources.replace(document, 0);
    await until(async () => (await userAt(sources, 'tcp')) === 'of-hook', DEADLINE_MS);
    const source = sources.source('hook');
    await sources.replace({ ...document, order: order.toReversed() }, 1);
    await until(async () => (await userAt(sources, 'tcp')) === 'of-certificate', DEADLINE_MS);
    expect(sources.source('hook')).toBe(source);
  });

  it('is refused to whom they would let in when one of them cannot be made here', async () => {
    const store = new LocalDefinitionStore<AuthDocument>('settings');
    const faults = [{ field: 'secret', problem: 'cannot be read' }];
    const sources = sourcesOf(store, { open: async () => ({ faults }) });
    const document = {
      backends: [{ id: 'hook', settings: HOOK }],
      order: ['hook', 'users', 'certificate'],
      chains: {},
    };
    await store.put({ id: 'auth', ...document }, undefined);
    await sources.drive();
    // The users would have let it in: that the hook would not have is unknown.
    expect(await userAt(sources, 'tcp')).toBe('failed');
  });

  it.each([
    ['asks nobody at a listener', { ...NOTHING, chains: { tcp: [] } }, ['chains', 'tcp']],
    [
      'names one that there is not',
      { ...NOTHING, chains: { tcp: ['none'] } },
      ['chains', 'tcp', '0'],
    ],
    ['leaves one out', { ...NOTHING, order: ['users'] }, ['order']],
    ['names one twice', { ...NOTHING, order: ['users', 'certificate', 'users'] }, ['order', '2']],
    [
      'takes an id of the configuration',
      { ...NOTHING, backends: [{ id: 'users', settings: HOOK }] },
      ['backends', '0', 'id'],
    ],
    [
      'makes users',
      { ...NOTHING, backends: [{ id: 'others', settings: { kind: 'stored' } }] },
      ['backends', '0', 'settings', 'kind'],
    ],
    [
      'asks for certificates where none are taken',
      { ...NOTHING, chains: { tcp: ['certificate'] } },
      ['chains', 'tcp'],
    ],
  ])('is refused when it %s', async (_, document, path) => {
    const sources = sourcesOf();
    await sources.drive();
    expect(await sources.replace(document, 0)).toMatchObject({ kind: 'invalid', path });
    expect((await sources.stored()).revision).toBe(0);
  });

  it('may be certificates alone where they are taken, and where anonymous clients may connect', async () => {
    const sources = sourcesOf();
    await sources.drive();
    expect(await sources.check({ ...NOTHING, chains: { tls: ['certificate'] } })).toEqual({
      kind: 'sound',
    });
    const open = sourcesOf(undefined, { anonymous: true });
    await open.drive();
    const document = { ...NOTHING, chains: { tcp: ['certificate'] } };
    expect(await open.check(document)).toEqual({ kind: 'sound' });
  });

  it('cannot be made a question where the configuration lets in everybody', async () => {
    const sources = sourcesOf(undefined, { configured: [] });
    expect(await sources.replace(NOTHING, 0)).toEqual({ kind: 'open' });
  });
});
