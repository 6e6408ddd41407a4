import { describe, expect, it } from '@jest/globals';
import { NodeScramCrypto } from '#libs/access-sources';
import { ScramClient } from '#libs/testkit';
import {
  deriveScramCredential,
  formatScramCredential,
  parseScramCredential,
  ScramExchange,
  SCRAM_MECHANISMS,
  type AuthStep,
  type ScramCredential,
  type ScramMechanism,
  type UserDirectory,
} from './index.ts';

/** RFC 7677, section 3. The numbers for SHA-512, which has no RFC, were made with Python's hashlib. */
const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
const CLIENT_NONCE = 'rOprNGfwEbeRWgbNEkqO';
const SERVER_NONCE = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
const SERVER_FIRST = `r=${CLIENT_NONCE}${SERVER_NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;
const WITHOUT_PROOF = `c=biws,r=${CLIENT_NONCE}${SERVER_NONCE}`;
const VECTORS = [
  {
    mechanism: 'SCRAM-SHA-256',
    proof: 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    signature: '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    keys: 'WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  },
  {
    mechanism: 'SCRAM-SHA-512',
    proof:
      'gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==',
    signature:
      'ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==',
    keys:
      '6AAub3065EYRmyFpM2RNwqK+eGnrkYuEWbXn19LsEmBqzu8QaCXNc1FwpnX9NhH2hK/60dzj9DoO5DvVkOHbvg==:' +
      'jZHbYjC1aHh0/hKbxyBuGFjDrgjgKTT1esA7awWiKcRZ0o/0b1yWEebBeSVkkCFewf91nLDfKF24mvD5nmE6rA==',
  },
] as const;

const crypto = new NodeScramCrypto();

async function credentialOf(
  mechanism: ScramMechanism,
  password = 'pencil',
): Promise<ScramCredential> {
  return await deriveScramCredential(crypto, password, { mechanism, salt: SALT, iterations: 4096 });
}

const pencils = new Map(
  await Promise.all(
    SCRAM_MECHANISMS.map(async (each) => [each, await credentialOf(each)] as const),
  ),
);
const users: UserDirectory = {
  find: (user) =>
    Promise.resolve(
      ['user', 'a,b=c', 'IX'].includes(user)
        ? { credentials: [...pencils.values()], identity: { user, groups: ['crew'] } }
        : undefined,
    ),
};

function exchangeOf(mechanism: ScramMechanism = 'SCRAM-SHA-256', nonce?: string): ScramExchange {
  const fixed = Object.assign(
    new NodeScramCrypto(),
    nonce === undefined ? {} : { nonce: () => nonce },
  );
  const key = Buffer.alloc(32);
  const salt = Buffer.alloc(16, 7);
  const decoyOf = () => ({ mechanism, salt, iterations: 4096, storedKey: key, serverKey: key });
  return new ScramExchange(mechanism, users, { crypto: fixed, decoyOf });
}

const dataOf = (step: AuthStep): Buffer =>
  Buffer.from((step.kind === 'denied' ? undefined : step.data) ?? []);

describe.each(VECTORS)('an exchange of $mechanism', ({ mechanism, proof, signature, keys }) => {
  it('goes as in RFC 7677', async () => {
    const exchange = exchangeOf(mechanism, SERVER_NONCE);
    const first = await exchange.step(Buffer.from(`n,,n=user,r=${CLIENT_NONCE}`));
    expect(first.kind).toBe('continue');
    expect(dataOf(first).toString()).toBe(SERVER_FIRST);
    const last = await exchange.step(Buffer.from(`${WITHOUT_PROOF},p=${proof}`));
    expect(last).toMatchObject({
      kind: 'allowed',
      identity: { user: 'user', groups: ['crew'] },
    });
    expect(dataOf(last).toString()).toBe(`v=${signature}`);
  });

  it('proves both sides to each other', async () => {
    const exchange = exchangeOf(mechanism);
    const client = new ScramClient(mechanism, { user: 'user', password: 'pencil' });
    const last = await exchange.step(client.final(dataOf(await exchange.step(client.first()))));
    expect(last.kind).toBe('allowed');
    expect(client.isProven(dataOf(last))).toBe(true);
  });

  it('needs no password on the server, only keys', async () => {
    const text = `${mechanism}$4096:W22ZaJ0SNY7soEsUEjb6gQ==$${keys}`;
    expect(formatScramCredential(await credentialOf(mechanism))).toBe(text);
    expect(parseScramCredential(text)).toEqual(await credentialOf(mechanism));
  });
});

describe('the first message', () => {
  const begin = (text: string | Uint8Array) => exchangeOf().step(Buffer.from(text));

  it('is asked for when it does not come with CONNECT, once', async () => {
    const exchange = exchangeOf();
    expect(await exchange.step(undefined)).toEqual({ kind: 'continue' });
    expect(await exchange.step(undefined)).toMatchObject({ kind: 'denied' });
  });

  it.each([
    ['a client that would bind channels if we could', 'y,,n=user,r=abc'],
    ['its own name as the one to act for', 'n,a=user,n=user,r=abc'],
    ['optional extensions', 'n,,n=user,r=abc,x=1,y=zwei'],
    ['a comma and an equals sign in a name', 'n,,n=a=2Cb=3Dc,r=abc'],
    ['a name that is typed in another way', 'n,,n=\u2168,r=abc'],
  ])('may have %s', async (_, text) => {
    const step = await begin(text);
    expect(dataOf(step).toString()).toMatch(
      /^r=abc[!-+\--~]{24},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096$/,
    );
  });

  it.each([
    ['channel binding is not offered', 'p=tls-exporter,,n=user,r=abc'],
    ['extension is not known', 'n,,m=x,n=user,r=abc'],
    ['extension is not known', 'n,,n=user,r=abc,m=x'],
    ['nobody may act for another user', 'n,a=other,n=user,r=abc'],
    ['message is no text', 'n,,n=us\0er,r=abc'],
    ['message is no text', Uint8Array.of(0x6e, 0x2c, 0x2c, 0x6e, 0x3d, 0xff)],
    ['message too long', `n,,n=${'x'.repeat(5000)},r=abc`],
    ['the user name holds a control, private or unassigned character', 'n,,n=us\u0007er,r=abc'],
    ['the user name is empty', 'n,,n=\u00AD,r=abc'],
    ['message is malformed', ''],
    ['message is malformed', 'n=user,r=abc'],
    ['message is malformed', 'n,,n=,r=abc'],
    ['message is malformed', 'n,,n=user'],
    ['message is malformed', 'n,,n=user,r='],
    ['message is malformed', 'n,,n=us=er,r=abc'],
    ['message is malformed', 'n,,r=abc,n=user'],
    ['message is malformed', 'n,,n=user,r=a\u00e9'],
    ['message is malformed', 'n,,n=user,r=abc,'],
  ])('is refused: %s', async (detail, text) => {
    expect(await begin(text)).toEqual({ kind: 'denied', detail });
  });
});

describe('the last message', () => {
  const WRONG = 'user name or password is wrong';

  async function answered(
    login: { readonly user: string; readonly password: string },
    change: (final: string) => string = (final) => final,
  ): Promise<AuthStep> {
    const exchange = exchangeOf();
    const client = new ScramClient('SCRAM-SHA-256', login);
    const final = client.final(dataOf(await exchange.step(client.first())));
    return await exchange.step(Buffer.from(change(final.toString())));
  }
  const right = { user: 'user', password: 'pencil' };

  it('is refused alike for a wrong password and for a user who does not exist', async () => {
    const denied = { kind: 'denied', detail: WRONG };
    expect(await answered({ user: 'user', password: 'pencils' })).toEqual(denied);
    expect(await answered({ user: 'nobody', password: 'pencil' })).toEqual(denied);
  });

  it.each([
    ['channel binding has changed', (final: string) => final.replace('c=biws', 'c=eSws')],
    ['channel binding has changed', (final: string) => final.replace('c=biws', 'c=biwsAAAA')],
    ['nonce is not the one of this exchange', (final: string) => final.replace(',p=', 'x,p=')],
    ['extension is not known', (final: string) => final.replace(',p=', ',m=x,p=')],
    [WRONG, (final: string) => final.replace(',p=', ',x=1,p=')],
    ['message is malformed', (final: string) => final.replace(/,p=.*/, '')],
    ['message is malformed', (final: string) => final.replace(/,p=.*/, ',p=AAAA')],
    ['message is malformed', (final: string) => final.replace(/,p=.*/, ',p=A')],
    ['message is malformed', (final: string) => `${final},x=1`],
    ['message is malformed', () => ''],
  ])('is refused: %s', async (detail, change) => {
    expect(await answered(right, change)).toEqual({ kind: 'denied', detail });
  });

  it('must come', async () => {
    const exchange = exchangeOf();
    await exchange.step(Buffer.from('n,,n=user,r=abc'));
    expect(await exchange.step(undefined)).toMatchObject({ kind: 'denied' });
  });

  it('of another exchange is worth nothing', async () => {
    const client = new ScramClient('SCRAM-SHA-256', right, { nonce: 'same' });
    const observed = exchangeOf();
    const final = client.final(dataOf(await observed.step(client.first())));
    const replayed = exchangeOf();
    await replayed.step(client.first());
    expect(await replayed.step(final)).toMatchObject({ kind: 'denied' });
    expect(await observed.step(final)).toMatchObject({ kind: 'allowed' });
  });
});

describe('a credential as text', () => {
  const good = `SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$${VECTORS[0].keys}`;

  it.each([
    ['another mechanism', good.replace('256', '1')],
    ['too few iterations', good.replace('4096', '4095')],
    ['too many iterations', good.replace('4096', '99999999')],
    ['a short salt', good.replace('W22ZaJ0SNY7soEsUEjb6gQ==', 'AAAA')],
    ['keys of the other hash', good.replace('256', '512')],
    ['a key that is no base64', good.replace('WG5d', 'W*5d')],
    ['something behind it', `${good}\n`],
    ['nothing', ''],
  ])('is refused with %s', (_, text) => {
    expect(parseScramCredential(good)).toBeDefined();
    expect(parseScramCredential(text)).toBeUndefined();
  });
});
