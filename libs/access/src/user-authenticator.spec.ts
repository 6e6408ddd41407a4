import { describe, expect, it } from '@jest/globals';
import { NodeScramCrypto } from '#libs/access-sources';
import { ScramClient } from '#libs/testkit';
import {
  UserAuthenticator,
  deriveScramCredential,
  type AuthStep,
  type LoginVerdict,
  type ScramCredential,
  type ScramCredentials,
} from './index.ts';

const ITERATIONS = 4096;
const SALT_SECRET = 'the salt of the sea';
const WRONG: LoginVerdict = { kind: 'denied', reason: 'credentials' };

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
const credentials: ScramCredentials = {
  find: (mechanism, user) => {
    const credential = stored.get(user);
    return Promise.resolve(credential?.mechanism === mechanism ? credential : undefined);
  },
};

function open(saltSecret = SALT_SECRET) {
  const crypto = new WatchedCrypto();
  const parts = { credentials, crypto, saltSecret, iterations: ITERATIONS };
  const authenticator = new UserAuthenticator(parts);
  const login = (username: string | undefined, password: string | Uint8Array | undefined) =>
    authenticator.login({
      username,
      password: password === undefined ? undefined : Buffer.from(password),
    });
  return { authenticator, crypto, login };
}

describe('a login', () => {
  it('is allowed with the password, in whatever form both were typed', async () => {
    const { login } = open();
    expect(await login('ann', 'p4ss wörd')).toEqual({ kind: 'allowed', user: 'ann' });
    expect(await login('a\u00ADnn', 'p4ss\u00A0wo\u0308rd')).toEqual({
      kind: 'allowed',
      user: 'ann',
    });
    expect(await login('bob', 'secret')).toEqual({ kind: 'allowed', user: 'bob' });
  });

  it('is denied alike for a wrong password and for a user who does not exist, at the same cost', async () => {
    const { crypto, login } = open();
    expect(await login('ann', 'wrong')).toEqual(WRONG);
    expect(crypto.stretches).toBe(1);
    expect(await login('nobody', 'wrong')).toEqual(WRONG);
    expect(crypto.stretches).toBe(2);
  });

  it('is denied without a name, without a password, and with what no password can be', async () => {
    const { crypto, login } = open();
    expect(await login(undefined, undefined)).toEqual({ kind: 'denied', reason: 'anonymous' });
    expect(await login('ann', undefined)).toEqual(WRONG);
    expect(await login('ann', '')).toEqual(WRONG);
    expect(await login('ann', Uint8Array.of(0xff, 0xfe))).toEqual(WRONG);
    expect(await login('an\u0007n', 'p4ss wörd')).toEqual(WRONG);
    expect(crypto.stretches).toBe(1);
  });

  it('that was right is recognised at once the next time, a wrong one never', async () => {
    const { crypto, login } = open();
    await login('ann', 'p4ss wörd');
    expect(await login('ann', 'p4ss wörd')).toMatchObject({ kind: 'allowed' });
    expect(crypto.stretches).toBe(1);
    expect(await login('ann', 'wrong')).toEqual(WRONG);
    expect(await login('ann', 'wrong')).toEqual(WRONG);
    expect(crypto.stretches).toBe(3);
    expect(await login('ann', 'p4ss wörd')).toMatchObject({ kind: 'allowed' });
  });

  it('is put off when too many are being verified', async () => {
    const { crypto, login } = open();
    let goOn = (): void => undefined;
    crypto.held = new Promise((resolve) => (goOn = resolve));
    const verdicts = Array.from({ length: 1000 }, () => login('ann', 'wrong'));
    expect(await login('bob', 'secret')).toEqual({ kind: 'busy' });
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
    const exchange = open(saltSecret).authenticator.exchange('SCRAM-SHA-256');
    const step = await exchange?.step(Buffer.from(`n,,n=${user},r=abc`));
    return Buffer.from((step?.kind === 'continue' ? step.data : undefined) ?? [])
      .toString()
      .replace(/^r=[^,]*,/, '');
  };

  it('is offered for SCRAM with SHA-256 and SHA-512 and nothing else', () => {
    const { authenticator } = open();
    expect(authenticator.exchange('SCRAM-SHA-256')).toBeDefined();
    expect(authenticator.exchange('SCRAM-SHA-512')).toBeDefined();
    for (const method of ['SCRAM-SHA-1', 'SCRAM-SHA-256-PLUS', 'scram-sha-256', 'PLAIN', '']) {
      expect(authenticator.exchange(method)).toBeUndefined();
    }
  });

  it('allows a user with the password', async () => {
    const exchange = open().authenticator.exchange('SCRAM-SHA-512');
    const client = new ScramClient('SCRAM-SHA-512', { user: 'bob', password: 'secret' });
    const dataOf = (step: AuthStep | undefined) =>
      (step?.kind === 'continue' && step.data) || Buffer.of();
    const final = client.final(dataOf(await exchange?.step(client.first())));
    expect(await exchange?.step(final)).toMatchObject({ kind: 'allowed', user: 'bob' });
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
