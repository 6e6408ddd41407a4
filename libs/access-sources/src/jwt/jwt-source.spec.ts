import { createHmac, createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SignJWT, type JWTPayload } from 'jose';
import type { AuthStep, Login, SourceVerdict } from '#libs/access';
import type { Log } from '#libs/broker-ports';
import { until } from '#libs/testkit';
import { openJwtSource, JwtSource, type JwtKeySettings, type JwtSourceParts } from '../index.ts';

const NOW_S = 1_700_000_000;
const SECRET = 'a secret of at least thirty-two bytes, as it should be';
const CLIENT = { clientId: 'c1', address: '10.0.0.1', listener: 'tcp' };
const quietLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-jwt-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const write = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};

/** A source with a clock that a test moves. */
async function sourceOf(
  keys: Partial<JwtKeySettings>,
  own: Partial<JwtSourceParts> = {},
): Promise<JwtSource> {
  const opened = await openJwtSource(
    { refreshMs: 300_000, timeoutMs: 5_000, ...keys },
    {
      leewaySeconds: 30,
      claims: { user: 'sub', groups: 'groups', acl: 'acl' },
      parseRules: (value) => (value === 'bad' ? 'must be a list of rules' : (value as [])),
      nowMs: () => NOW_S * 1000,
      ...own,
    },
    quietLog,
  );
  if (opened.kind === 'faulty') throw new Error(JSON.stringify(opened.fault));
  return opened.source;
}

const tokenOf = async (
  claims: JWTPayload,
  { alg = 'HS256', key = createSecretKey(Buffer.from(SECRET)) as KeyObject, header = {} } = {},
): Promise<string> =>
  await new SignJWT({ sub: 'ann', exp: NOW_S + 3600, ...claims })
    .setProtectedHeader({ alg, ...header })
    .sign(key);

const login = async (
  source: JwtSource,
  token: string,
  own: Partial<Login> = {},
): Promise<SourceVerdict> =>
  await source.login({ ...CLIENT, username: undefined, password: Buffer.from(token), ...own });

/** A token made by hand, with whatever a library would not make. */
const forged = (header: object, claims: object, sign: (text: string) => string): string => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part(header)}.${part({ sub: 'ann', exp: NOW_S + 3600, ...claims })}`;
  return `${text}.${sign(text)}`;
};

describe('a token', () => {
  it('says who its client is', async () => {
    const source = await sourceOf({ secret: SECRET });
    const acl = [{ effect: 'allow', actions: ['publish'], topics: ['a'] }];
    const token = await tokenOf({ groups: ['crew'], acl });
    expect(await login(source, token)).toEqual({
      kind: 'allowed',
      identity: {
        user: 'ann',
        groups: ['crew'],
        rules: acl,
        expiresAtMs: (NOW_S + 3600 + 30) * 1000,
      },
    });
  });

  it.each([
    ['RS256', rsa],
    ['PS512', rsa],
    ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['ES384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['ES512', generateKeyPairSync('ec', { namedCurve: 'P-521' })],
    ['EdDSA', generateKeyPairSync('ed25519')],
    ['Ed25519', generateKeyPairSync('ed25519')],
  ])('may be signed with %s', async (alg, { publicKey, privateKey }) => {
    const source = await sourceOf({ keyFile: write(alg, pemOf(publicKey)) });
    const token = await tokenOf({}, { alg, key: privateKey });
    expect(await login(source, token)).toMatchObject({ kind: 'allowed' });
  });

  it('has its user, groups and client id in the claims that are named', async () => {
    const source = await sourceOf(
      { secret: SECRET },
      {
        claims: {
          user: 'https://example.com/user',
          clientId: 'device.id',
          groups: 'realm.roles',
          acl: 'acl',
        },
      },
    );
    const claims = { 'https://example.com/user': 'bob', realm: { roles: 'ops' } };
    const right = await tokenOf({ ...claims, device: { id: 'c1' } });
    expect(await login(source, right)).toMatchObject({
      identity: { user: 'bob', groups: ['ops'] },
    });
    expect(await login(source, right, { clientId: 'c2' })).toMatchObject({ kind: 'denied' });
    expect(await login(source, await tokenOf(claims))).toMatchObject({
      kind: 'denied',
      detail: 'device.id is no client id',
    });
  });

  it('goes with its own user name or none', async () => {
    const source = await sourceOf({ secret: SECRET });
    const token = await tokenOf({});
    expect(await login(source, token, { username: 'a\u00ADnn' })).toMatchObject({
      kind: 'allowed',
    });
    expect(await login(source, token, { username: 'bob' })).toMatchObject({ kind: 'denied' });
  });

  it('counts from its beginning to its end, also when it is known already', async () => {
    let nowS = NOW_S;
    const source = await sourceOf({ secret: SECRET }, { nowMs: () => nowS * 1000 });
    const token = await tokenOf({ nbf: NOW_S, exp: NOW_S + 100 });
    expect(await login(source, token)).toMatchObject({ kind: 'allowed' });
    nowS = NOW_S + 129;
    expect(await login(source, token)).toMatchObject({ kind: 'allowed' });
    nowS = NOW_S + 130;
    expect(await login(source, token)).toEqual({ kind: 'denied', detail: 'the token has expired' });
    nowS = NOW_S - 31;
    expect(await login(source, token)).toMatchObject({ detail: 'the token is not valid yet' });
  });

  it('is left to others when it looks like none, or is of another issuer', async () => {
    const source = await sourceOf({ secret: SECRET }, { issuer: 'us' });
    const notMine = { kind: 'not-mine' };
    // One that is too long is not even looked at.
    const huge = await tokenOf({ iss: 'us', padding: 'x'.repeat(1_000_000) });
    for (const text of ['', 'p4ss', 'a.b.c', 'a.b', `${'a'.repeat(20_000)}.b.c`, huge]) {
      expect(await login(source, text)).toEqual(notMine);
    }
    expect(await login(source, '', { password: undefined })).toEqual(notMine);
    expect(await login(source, await tokenOf({ iss: 'them' }))).toEqual(notMine);
    expect(await login(source, await tokenOf({}))).toEqual(notMine);
    expect(await login(source, await tokenOf({ iss: 'us' }))).toMatchObject({ kind: 'allowed' });
  });

  it('may be the data of the authentication method JWT', async () => {
    const source = await sourceOf({ secret: SECRET });
    const step = async (data: string): Promise<AuthStep | undefined> =>
      await source
        .exchange('JWT', { ...CLIENT, username: undefined, password: undefined })
        ?.step(Buffer.from(data));
    expect(await step(await tokenOf({}))).toMatchObject({
      kind: 'allowed',
      identity: { user: 'ann' },
    });
    expect(await step(await tokenOf({ exp: NOW_S - 100 }))).toMatchObject({ kind: 'denied' });
    expect(await step('')).toMatchObject({ kind: 'denied' });
    expect(source.exchange('OTHER', { ...CLIENT, username: undefined, password: undefined })).toBe(
      undefined,
    );
  });
});

const signed = (text: string): string =>
  createHmac('sha256', SECRET).update(text).digest('base64url');

describe('an attack by a token', () => {
  const attacks: [string, () => Promise<string>][] = [
    ['an end that is over', () => tokenOf({ exp: NOW_S - 31 })],
    ['a beginning that is to come', () => tokenOf({ nbf: NOW_S + 31 })],
    ['no end', () => Promise.resolve(forged({ alg: 'HS256' }, { exp: undefined }, signed))],
    ['an end that is no number', () => tokenOf({ exp: 'never' as unknown as number })],
    ['an end beyond all times', () => tokenOf({ exp: 1e300 })],
    ['another audience', () => tokenOf({ aud: 'others' })],
    ['another key', () => tokenOf({}, { key: createSecretKey(Buffer.alloc(32)) })],
    ['rules that are none', () => tokenOf({ acl: 'bad' })],
    ['no user', () => tokenOf({ sub: '' })],
    ['a user that is no text', () => tokenOf({ sub: { $ne: '' } as unknown as string })],
    ['groups that are none', () => tokenOf({ groups: [{}] })],
    [
      'a critical header that nobody knows',
      () => Promise.resolve(forged({ alg: 'HS256', crit: ['x'], x: 1 }, {}, signed)),
    ],
    ['the algorithm none', () => Promise.resolve(forged({ alg: 'none' }, {}, () => ''))],
    ['the algorithm nOnE', () => Promise.resolve(forged({ alg: 'nOnE' }, {}, () => 'AAAA'))],
    ['no signature', () => Promise.resolve(forged({ alg: 'HS256' }, {}, () => ''))],
    [
      'an algorithm of another kind of key',
      () => tokenOf({}, { alg: 'RS256', key: rsa.privateKey }),
    ],
    [
      'changed claims',
      async () => {
        const [header, , signature] = (await tokenOf({})).split('.');
        const [, claims] = forged({}, { sub: 'root' }, () => '').split('.');
        return [header, claims, signature].join('.');
      },
    ],
  ];
  it.each(attacks)('with %s is denied', async (_, makeToken) => {
    const source = await sourceOf({ secret: SECRET }, { audience: 'broker' });
    const aud = await login(source, await tokenOf({ aud: 'broker' }));
    expect(aud).toMatchObject({ kind: 'allowed' });
    expect(await login(source, await makeToken())).toMatchObject({ kind: 'denied' });
  });

  it('that takes the public key for a secret is denied', async () => {
    const pem = pemOf(rsa.publicKey);
    const jwks = JSON.stringify({
      keys: [{ ...rsa.publicKey.export({ format: 'jwk' }), kid: 'k' }],
    });
    const sources = [
      await sourceOf({ keyFile: write('confused.pem', pem) }),
      await sourceOf({ jwksFile: write('confused.json', jwks) }),
    ];
    for (const secret of [pem, pem.trim(), jwks]) {
      const sign = (text: string): string =>
        createHmac('sha256', secret).update(text).digest('base64url');
      for (const source of sources) {
        expect(await login(source, forged({ alg: 'HS256', kid: 'k' }, {}, sign))).toMatchObject({
          kind: 'denied',
        });
      }
    }
  });

  it('with a secret that a key set holds is denied', async () => {
    const key = createSecretKey(Buffer.from(SECRET));
    const jwks = { keys: [{ ...key.export({ format: 'jwk' }), kid: 'k', alg: 'HS256' }] };
    const source = await sourceOf({ jwksFile: write('secret.json', JSON.stringify(jwks)) });
    const token = await tokenOf({}, { header: { kid: 'k' } });
    expect(await login(source, token)).toMatchObject({ kind: 'denied' });
  });

  it('that brings its own key, or names a file as one, is denied', async () => {
    const { privateKey, publicKey } = otherRsa;
    const jwks = { keys: [{ ...rsa.publicKey.export({ format: 'jwk' }), kid: 'k' }] };
    const source = await sourceOf({ jwksFile: write('own.json', JSON.stringify(jwks)) });
    const headers = [
      { kid: '../../dev/null' },
      { kid: "x' OR '1'='1" },
      { kid: '__proto__' },
      { kid: 'k', jwk: publicKey.export({ format: 'jwk' }) },
      { kid: 'k', jku: 'http://127.0.0.1:1/keys' },
      { jwk: publicKey.export({ format: 'jwk' }) },
    ];
    for (const header of headers) {
      const token = await tokenOf({}, { alg: 'RS256', key: privateKey, header });
      expect(await login(source, token)).toMatchObject({ kind: 'denied' });
    }
  });
});

describe('settings of a key', () => {
  it('are refused when they are of no use', async () => {
    const faultOf = async (keys: Partial<JwtKeySettings>): Promise<string> =>
      await sourceOf(keys).then(
        () => 'none',
        (error: unknown) => (error as Error).message,
      );
    expect(await faultOf({ secret: 'short' })).toContain('fewer than 32 bytes');
    expect(await faultOf({ secret: pemOf(rsa.publicKey) })).toContain('a key in PEM');
    expect(await faultOf({ secret: SECRET, algorithms: ['RS256'] })).toContain('holds RS256');
    const keyFile = write('rsa.pem', pemOf(rsa.publicKey));
    expect(await faultOf({ keyFile, algorithms: ['RS256', 'HS256'] })).toContain('holds HS256');
    expect(await faultOf({ keyFile: join(directory, 'absent') })).toContain('cannot be read');
    expect(await faultOf({ keyFile: write('junk.pem', 'junk') })).toContain('no public key');
    const x25519 = pemOf(generateKeyPairSync('x25519').publicKey);
    expect(await faultOf({ keyFile: write('x.pem', x25519) })).toContain('another kind');
  });

  it('may leave out algorithms', async () => {
    const keyFile = write('ps.pem', pemOf(rsa.publicKey));
    const source = await sourceOf({ keyFile, algorithms: ['PS256'] });
    const signed = async (alg: string): Promise<string> =>
      await tokenOf({}, { alg, key: rsa.privateKey });
    expect(await login(source, await signed('PS256'))).toMatchObject({ kind: 'allowed' });
    expect(await login(source, await signed('RS256'))).toMatchObject({ kind: 'denied' });
  });
});

describe('a token that is being verified when the keys change', () => {
  it('is verified again the next time', async () => {
    const key = createSecretKey(Buffer.from(SECRET));
    const asked: (() => void)[] = [];
    const source = new JwtSource({
      key: () => new Promise<KeyObject>((resolve) => asked.push(() => resolve(key))),
      algorithms: ['HS256'],
      leewaySeconds: 0,
      claims: { user: 'sub', groups: 'groups', acl: 'acl' },
      parseRules: () => [],
      nowMs: () => NOW_S * 1000,
    });
    const token = await tokenOf({});
    const first = login(source, token);
    await until(() => asked.length === 1, 20_000);
    source.forget();
    asked[0]?.();
    await first;
    const second = login(source, token);
    await until(() => asked.length === 2, 20_000);
    asked[1]?.();
    expect(await second).toMatchObject({ kind: 'allowed' });
    expect(await login(source, token)).toMatchObject({ kind: 'allowed' });
    expect(asked).toHaveLength(2);
  });
});
