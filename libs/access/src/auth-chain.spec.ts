import { describe, expect, it } from '@jest/globals';
import { NodeScramCrypto } from '#libs/access-sources';
import { AuthChain, PasswordCheck, type AuthSource, type SourceVerdict } from './index.ts';

const CLIENT = { clientId: 'c', address: '10.0.0.1', listener: 'tcp' };
const NOBODY = { ...CLIENT, username: undefined, password: undefined };
const ANN = { ...CLIENT, username: 'ann', password: Buffer.from('p4ss') };
const ALLOWED: SourceVerdict = { kind: 'allowed', identity: { user: 'ann' } };
const DENIED: SourceVerdict = { kind: 'denied', detail: 'expired' };
const BUSY: SourceVerdict = { kind: 'busy' };
const NOT_MINE: SourceVerdict = { kind: 'not-mine' };

const passwords = new PasswordCheck({
  crypto: new NodeScramCrypto(),
  saltSecret: 'salt',
  iterations: 4096,
});

/** A chain of sources that say this, and which of them were asked. */
function chainOf(verdicts: readonly (SourceVerdict | Error)[], anonymous = false) {
  const asked: number[] = [];
  const sources = verdicts.map((verdict, index): AuthSource => ({
    backend: index === 0 ? 'jwt' : 'webhook',
    login: () => {
      asked.push(index);
      return verdict instanceof Error ? Promise.reject(verdict) : Promise.resolve(verdict);
    },
    exchange: (method) =>
      method === `own-${String(index)}`
        ? { backend: 'jwt', step: () => Promise.resolve({ kind: 'continue' }) }
        : undefined,
  }));
  return { chain: new AuthChain({ sources, passwords, anonymous }), asked };
}

describe('a chain', () => {
  it.each([
    { verdicts: [ALLOWED, DENIED], says: { kind: 'allowed', backend: 'jwt' }, asks: 1 },
    { verdicts: [NOT_MINE, ALLOWED], says: { kind: 'allowed', backend: 'webhook' }, asks: 2 },
    {
      verdicts: [DENIED, ALLOWED],
      says: { kind: 'denied', backend: 'jwt', reason: 'credentials', detail: 'expired' },
      asks: 1,
    },
    { verdicts: [BUSY, ALLOWED], says: { kind: 'busy', backend: 'jwt' }, asks: 1 },
    {
      verdicts: [new Error('away'), ALLOWED],
      says: { kind: 'failed', backend: 'jwt', detail: 'Error: away' },
      asks: 1,
    },
    {
      verdicts: [NOT_MINE, NOT_MINE],
      says: { kind: 'denied', backend: 'password', reason: 'credentials' },
      asks: 2,
    },
  ])('says $says after $asks', async ({ verdicts, says, asks }) => {
    const { chain, asked } = chainOf(verdicts);
    expect(await chain.login(ANN)).toMatchObject(says);
    expect(asked).toHaveLength(asks);
  });

  it('lets a client in without a name only where that is said, and only when no source objects', async () => {
    const refused = { kind: 'denied', backend: 'anonymous', reason: 'anonymous' };
    const welcome = { kind: 'allowed', backend: 'anonymous', identity: { user: undefined } };
    expect(await chainOf([NOT_MINE]).chain.login(NOBODY)).toEqual(refused);
    expect(await chainOf([NOT_MINE], true).chain.login(NOBODY)).toEqual(welcome);
    expect(await chainOf([DENIED], true).chain.login(NOBODY)).toMatchObject({ kind: 'denied' });
    const withPassword = { ...NOBODY, password: Buffer.from('x') };
    expect(await chainOf([NOT_MINE], true).chain.login(withPassword)).toEqual(refused);
    expect(await chainOf([NOT_MINE], true).chain.login(ANN)).toMatchObject({ kind: 'denied' });
  });

  it('offers SCRAM where users have passwords, and the methods of its sources', () => {
    const { chain } = chainOf([NOT_MINE, NOT_MINE]);
    expect(chain.exchange('SCRAM-SHA-256', NOBODY)).toBeUndefined();
    expect(chain.exchange('own-1', NOBODY)).toBeDefined();
    expect(chain.exchange('own-2', NOBODY)).toBeUndefined();
  });
});
