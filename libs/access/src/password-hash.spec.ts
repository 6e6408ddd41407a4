import { describe, expect, it } from '@jest/globals';
import { NodeScramCrypto } from '#libs/access-sources';
import { quiet, until } from '#libs/testkit';
import {
  PASSWORD_SALT_BYTES,
  PasswordCheck,
  formatPasswordHash,
  hashCostOf,
  parsePasswordHash,
} from './index.ts';

const DEADLINE_MS = 20_000;
const COST = hashCostOf(10);
const salt = Buffer.alloc(PASSWORD_SALT_BYTES, 7);

/** Counts the slow parts. */
class WatchedCrypto extends NodeScramCrypto {
  readonly spent: string[] = [];
  held = false;

  override stretch(...inputs: Parameters<NodeScramCrypto['stretch']>): Promise<Uint8Array> {
    this.spent.push('stretch');
    return super.stretch(...inputs);
  }

  override hashPassword(
    ...inputs: Parameters<NodeScramCrypto['hashPassword']>
  ): Promise<Uint8Array> {
    this.spent.push('hash');
    if (this.held) return new Promise(() => undefined);
    return super.hashPassword(...inputs);
  }
}

async function hashOf(password: string) {
  const key = await new NodeScramCrypto().hashPassword(password, salt, COST);
  return { ...COST, salt, key };
}

function open() {
  const crypto = new WatchedCrypto();
  const hashing = { hasher: crypto, cost: COST };
  const passwords = new PasswordCheck({ crypto, saltSecret: 'salt', iterations: 4096, hashing });
  return { crypto, passwords };
}

describe('a hash of a password', () => {
  it('is written in the PHC string format, and read again', async () => {
    const hash = await hashOf('low water');
    const text = formatPasswordHash(hash);
    expect(text).toMatch(/^\$scrypt\$ln=10,r=8,p=1\$[^$]{24}\$[^$]{44}$/);
    expect(formatPasswordHash(parsePasswordHash(text) ?? hash)).toBe(text);
  });

  it.each([
    ['cheaper than any', 'ln=10', 'ln=9'],
    ['dearer than a node should pay for', 'ln=10', 'ln=19'],
    ['of another block size', 'r=8', 'r=9'],
    ['of many runs', 'p=1', 'p=17'],
    ['of another kind', 'scrypt', 'argon2id'],
    ['with a salt that is none', '$BwcH', '$*wcH'],
  ])('is not read when it is %s', async (_, from, to) => {
    const text = formatPasswordHash(await hashOf('low water')).replace(from, to);
    expect(parsePasswordHash(text)).toBeUndefined();
  });

  it('proves the right password, which is recognised at once the next time', async () => {
    const { crypto, passwords } = open();
    const user = { hash: await hashOf('low water'), credentials: [] };
    expect(await passwords.check(user, Buffer.from('low water'))).toBe('right');
    expect(await passwords.check(user, Buffer.from('low water'))).toBe('right');
    expect(crypto.spent).toEqual(['hash']);
    expect(await passwords.check(user, Buffer.from('high water'))).toBe('wrong');
  });

  it('costs whoever is wrong as much as a user does who is elsewhere, or not at all', async () => {
    const { crypto, passwords } = open();
    const wrong = Buffer.from('wrong');
    const { salt: other, ...rest } = passwords.decoyOf('SCRAM-SHA-256', 'bob');
    const known = { hash: await hashOf('low water'), credentials: [] };
    expect(await passwords.check(known, wrong)).toBe('wrong');
    expect(crypto.spent.splice(0).toSorted()).toEqual(['hash', 'stretch']);
    expect(await passwords.check({ credentials: [{ ...rest, salt: other }] }, wrong)).toBe('wrong');
    expect(crypto.spent.splice(0).toSorted()).toEqual(['hash', 'stretch']);
    expect(await passwords.pretend('nobody', wrong)).toBe('wrong');
    expect(crypto.spent.toSorted()).toEqual(['hash', 'stretch']);
  });

  it('is made for so many at a time, and the rest are told to come again', async () => {
    const { crypto, passwords } = open();
    crypto.held = true;
    const user = { hash: await hashOf('low water'), credentials: [] };
    let busy = 0;
    const ask = (address: string): void => {
      void passwords.check(user, Buffer.from('x'), address).then(() => (busy += 1));
    };
    const hashes = (): number => crypto.spent.filter((each) => each === 'hash').length;
    for (let index = 0; index < 300; index += 1) ask('192.0.2.1');
    // Those of one address do not take the places of all.
    await until(() => busy === 300 - 129, DEADLINE_MS);
    expect(hashes()).toBe(2);
    for (let index = 0; index < 200; index += 1) ask(`192.0.2.${String(index + 2)}`);
    await until(() => busy === 500 - 258, DEADLINE_MS);
    await quiet();
    expect([hashes(), busy]).toEqual([2, 500 - 258]);
  });

  it('tells whom there is no place for as late whether the user has a hash, credentials or nothing', async () => {
    const { crypto, passwords } = open();
    crypto.held = true;
    const user = { hash: await hashOf('low water'), credentials: [] };
    const wrong = Buffer.from('wrong');
    for (let index = 0; index < 129; index += 1) void passwords.check(user, wrong, '192.0.2.1');
    crypto.spent.length = 0;
    const scram = { credentials: [passwords.decoyOf('SCRAM-SHA-256', 'bob')] };
    for (const told of [
      () => passwords.check(user, wrong, '192.0.2.1'),
      () => passwords.check(scram, wrong, '192.0.2.1'),
      () => passwords.pretend('nobody', wrong, '192.0.2.1'),
    ]) {
      expect(await told()).toBe('busy');
      expect(crypto.spent.splice(0)).toEqual(['stretch']);
    }
  });

  it('leaves places to others also where passwords are checked by credentials', async () => {
    const { crypto, passwords } = open();
    crypto.held = true;
    const user = { credentials: [passwords.decoyOf('SCRAM-SHA-256', 'bob')] };
    const wrong = Buffer.from('wrong');
    const eve = Array.from({ length: 1_000 }, () => passwords.check(user, wrong, '192.0.2.1'));
    void passwords.check(user, wrong, '192.0.2.2');
    expect(crypto.spent).toHaveLength(501);
    expect(await Promise.race(eve)).toBe('busy');
  });
});
