import { describe, expect, it } from '@jest/globals';
import { NodeScramCrypto } from '#libs/access-sources';
import { ScramClient } from '#libs/testkit';
import {
  AuthChain,
  PasswordCheck,
  UserSource,
  deriveScramCredential,
  type AuthStep,
  type LoginVerdict,
  type ScramCredential,
  type UserDirectory,
} from './index.ts';

const ITERATIONS = 4096;
const SALT_SECRET = 'the salt of the sea';
const WRONG = { kind: 'denied', reason: 'credentials', backend: 'password' };
const ANN = {
  kind: 'allowed',
  backend: 'password',
  identity: { user: 'ann', groups: ['crew'] },
};
const CLIENT = { clientId: 'c', address: '10.0.0.1', listener: 'tcp' };
const NOBODY = { ...CLIENT, username: undefined, password: undefined };

/** Counts the slow part, or holds it and gives nothing useful. */
class WatchedCrypto extends NodeScramCrypto {
  stretches = 0;
  held: Promise<void> | undefined;

  override async stretch(...inputs: Parameters<NodeScramCrypto['stretch']>): Promise<Uint8Array> {
    this.stretches += 1;
    if (this.held === undefined) return await super.stretch(...inputs);
    await this.held;
    return new Uint8Array(1);
  }
}

const plain = new NodeScramCrypto();
const derive = (password: string, mechanism: ScramCredential['mechanism']) =>
  deriveScramCredential(plain, password, {
    mechanism,
    salt: Buffer.alloc(16, 1),
    iterations: ITERATIONS,
  });
const stored = new Map([
  ['ann', await derive('p4ss wörd', 'SCRAM-SHA-256')],
  ['bob', await derive('secret', 'SCRAM-SHA-512')],
]);
const directory: UserDirectory = {
  find: (user) => {
    const credential = stored.get(user);
    const identity = { user, groups: ['crew'] };
    return Promise.resolve(credential && { credentials: [credential], identity });
  },
};

function open(saltSecret = SALT_SECRET) {
  const crypto = new WatchedCrypto();
  const passwords = new PasswordCheck({ crypto, saltSecret, iterations: ITERATIONS });
  const sources = [new UserSource(directory, passwords)];
  const chain = new AuthChain({ sources, passwords, anonymous: false });
  const login = async (
    username: string | undefined,
    password: string | Uint8Array | undefined,
    address = CLIENT.address,
  ): Promise<LoginVerdict> =>
    await chain.login({
      ...CLIENT,
      address,
      username,
      password: password === undefined ? undefined : Buffer.from(password),
    });
  return { chain, crypto, login };
}

describe('a login', () => {
  it('is allowed with the password, in whatever form both were typed', async () => {
    const { login } = open();
    expect(await login('ann', 'p4ss wörd')).toEqual(ANN);
    expect(await login('a\u00ADnn', 'p4ss\u00A0wo\u0308rd')).toEqual(ANN);
    expect(await login('bob', 'secret')).toMatchObject({
      kind: 'allowed',
      identity: { user: 'bob' },
    });
  });

  it('is denied alike for a wrong password and for a user who does not exist, at the same cost', async () => {
    const { crypto, login } = open();
    expect(await login('ann', 'wrong')).toMatchObject(WRONG);
    expect(crypto.stretches).toBe(1);
    expect(await login('nobody', 'wrong')).toMatchObject(WRONG);
    expect(crypto.stretches).toBe(2);
  });

  it('is denied without a name, without a password, and with what no password can be', async () => {
    const { crypto, login } = open();
    expect(await login(undefined, undefined)).toEqual({
      kind: 'denied',
      backend: 'anonymous',
      reason: 'anonymous',
    });
    expect(await login('ann', undefined)).toMatchObject(WRONG);
    expect(await login('ann', '')).toMatchObject(WRONG);
    expect(await login('ann', Uint8Array.of(0xff, 0xfe))).toMatchObject(WRONG);
    expect(await login('an\u0007n', 'p4ss wörd')).toMatchObject(WRONG);
    expect(crypto.stretches).toBe(1);
  });

  it('that was right is recognised at once the next time, a wrong one never', async () => {
    const { crypto, login } = open();
    await login('ann', 'p4ss wörd');
    expect(await login('ann', 'p4ss wörd')).toMatchObject({ kind: 'allowed' });
    expect(crypto.stretches).toBe(1);
    expect(await login('ann', 'wrong')).toMatchObject(WRONG);
    expect(await login('ann', 'wrong')).toMatchObject(WRONG);
    expect(crypto.stretches).toBe(3);
    expect(await login('ann', 'p4ss wörd')).toMatchObject({ kind: 'allowed' });
  });

  it('is put off when too many are being verified', async () => {
    const { crypto, login } = open();
    let goOn = (): void => undefined;
    crypto.held = new Promise((resolve) => (goOn = resolve));
    const verdicts = Array.from({ length: 1000 }, (_, n) => login('ann', 'wrong', `10.1.0.${n}`));
    expect(await login('bob', 'secret')).toEqual({ kind: 'busy', backend: 'password' });
    goOn();
    expect(new Set((await Promise.all(verdicts)).map(({ kind }) => kind))).toEqual(
      new Set(['denied']),
    );
    crypto.held = undefined;
    expect(await login('bob', 'secret')).toMatchObject({ kind: 'allowed' });
  });
});

describe('an exchange', () => {
  const begin = async (user: string, saltSecret?: string): Promise<string> => {
    const exchange = open(saltSecret).chain.exchange('SCRAM-SHA-256', NOBODY);
    const step = await exchange?.step(Buffer.from(`n,,n=${user},r=abc`));
    return Buffer.from((step?.kind === 'continue' ? step.data : undefined) ?? [])
      .toString()
      .replace(/^r=[^,]*,/, '');
  };

  it('is offered for SCRAM with SHA-256 and SHA-512 and nothing else', () => {
    const { chain } = open();
    expect(chain.exchange('SCRAM-SHA-256', NOBODY)).toBeDefined();
    expect(chain.exchange('SCRAM-SHA-512', NOBODY)).toBeDefined();
    for (const method of ['SCRAM-SHA-1', 'SCRAM-SHA-256-PLUS', 'scram-sha-256', 'PLAIN', '']) {
      expect(chain.exchange(method, NOBODY)).toBeUndefined();
    }
  });

  it('allows a user with the password', async () => {
    const exchange = open().chain.exchange('SCRAM-SHA-512', NOBODY);
    const client = new ScramClient('SCRAM-SHA-512', { user: 'bob', password: 'secret' });
    const dataOf = (step: AuthStep | undefined) =>
      (step?.kind === 'continue' && step.data) || Buffer.of();
    const final = client.final(dataOf(await exchange?.step(client.first())));
    expect(await exchange?.step(final)).toMatchObject({
      kind: 'allowed',
      identity: { user: 'bob' },
    });
  });

  it('shows a user who does not exist a salt that stays, also on other nodes and after a restart', async () => {
    const shown = await begin('nobody');
    expect(shown).toMatch(/^s=[A-Za-z0-9+/]{22}==,i=4096$/);
    expect(await begin('nobody')).toBe(shown);
    expect(await begin('no\u00ADbody')).toBe(shown);
    expect(await begin('nobody else')).not.toBe(shown);
    expect(await begin('nobody', 'another secret')).not.toBe(shown);
    expect(await begin('ann')).toMatch(/^s=[A-Za-z0-9+/]{22}==,i=4096$/);
  });
});
