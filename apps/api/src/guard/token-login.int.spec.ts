import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHmac, createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SignJWT, type JWTHeaderParameters } from 'jose';
import { until } from '#libs/testkit';
import { KEY, configOf, open, operate } from '../../../../test/api/api-harness.ts';
import { anonymous, basic, bearer, codeOf, whoami } from '../../../../test/api/callers.ts';
import type { ApiProcess } from '../api-process.ts';

const DEADLINE_MS = 20_000;
const AUDIENCE = 'skein-admin';

const first = generateKeyPairSync('rsa', { modulusLength: 2048 });
const second = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });

const jwkOf = (key: KeyObject, kid: string, alg: string) => ({
  ...key.export({ format: 'jwk' }),
  ...{ kid, alg, use: 'sig' },
});

let issuerServer: Server;
let issuer: string;
let keys: object[];
let isBroken = false;
let api: ApiProcess;

beforeAll(async () => {
  keys = [jwkOf(first.publicKey, 'one', 'RS256')];
  issuerServer = createServer((request, response) => {
    if (isBroken) response.statusCode = 500;
    const isDiscovery = request.url === '/.well-known/openid-configuration';
    response.end(JSON.stringify(isDiscovery ? { issuer, jwks_uri: `${issuer}/keys` } : { keys }));
  });
  await new Promise<void>((resolve) => issuerServer.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(issuerServer.address() as AddressInfo).port}`;
  api = await open(
    await configOf({
      ...{ SKEIN_API_KEY: KEY, SKEIN_API_RATE_LIMITS_FAILURES_PER_SECOND: '0' },
      ...{ SKEIN_API_JWT_ISSUER: issuer, SKEIN_API_JWT_AUDIENCE: AUDIENCE },
      ...{ SKEIN_API_JWT_REFRESH_MS: '1000', SKEIN_API_JWT_LEEWAY_SECONDS: '60' },
      ...{ SKEIN_API_JWT_ROLE_CLAIM: 'realm.roles' },
      SKEIN_API_JWT_ROLE_MAPPING: 'skein-watchers=viewer,a=b=security_admin',
    }),
  );
});

afterAll(async () => {
  await api.stop();
  issuerServer.close();
});

const nowS = () => Math.floor(Date.now() / 1_000);

interface Wanted {
  readonly claims?: object;
  readonly header?: JWTHeaderParameters;
  readonly key?: KeyObject;
}

function tokenOf({ claims = {}, header, key = first.privateKey }: Wanted = {}): Promise<string> {
  const payload = { iss: issuer, aud: AUDIENCE, sub: 'ann', exp: nowS() + 600, ...claims };
  return new SignJWT(payload).setProtectedHeader(header ?? { alg: 'RS256', kid: 'one' }).sign(key);
}

const as = async (wanted: Wanted = {}) => whoami(api, bearer(await tokenOf(wanted)));

describe('a token of the issuer', () => {
  it('is known, and may nothing without a role', async () => {
    expect(await as()).toMatchObject({
      status: 200,
      body: { kind: 'jwt', id: 'jwt:ann', name: 'ann', roles: [], scopes: [] },
    });
    const headers = bearer(await tokenOf());
    expect(codeOf(await operate(api, 'listRoles', { headers }))).toBe('forbidden');
  });

  it('has the roles of its claim as they are mapped, and no others', async () => {
    const rolesOf = async (roles: unknown) =>
      (await as({ claims: { realm: { roles } } })).body as { roles?: string[] };
    expect((await rolesOf(['skein-watchers'])).roles).toEqual(['viewer']);
    expect((await rolesOf('a=b')).roles).toEqual(['security_admin']);
    expect((await rolesOf(['admin', 'viewer', 'a', 'b=security_admin'])).roles).toEqual([]);
    expect(codeOf({ body: await rolesOf({ admin: true }) })).toBe('unauthenticated');
  });

  it('has the roles that are bound to its subject and its groups', async () => {
    const bind = (role: string, kind: string, name: string) =>
      operate(api, 'createRoleBinding', { json: { role, subject: { kind, name } } });
    await bind('operator', 'group', 'night shift');
    await bind('publisher', 'subject', 'bob');
    expect((await bind('viewer', 'api_key', 'nobody')).status).toBe(422);
    expect((await bind('nothing', 'group', 'x')).status).toBe(422);
    const rolesOf = async (claims: object) =>
      ((await as({ claims })).body as { roles: string[] }).roles;
    expect(await rolesOf({ groups: ['night shift'] })).toEqual(['operator']);
    expect(await rolesOf({ sub: 'bob', groups: 'night shift' })).toEqual(['operator', 'publisher']);
    expect(await rolesOf({ sub: 'night shift', groups: ['bob'] })).toEqual([]);
  });

  it('counts within the skew of clocks, and not beyond', async () => {
    expect((await as({ claims: { exp: nowS() - 30 } })).status).toBe(200);
    expect((await as({ claims: { nbf: nowS() + 30 } })).status).toBe(200);
    expect(codeOf(await as({ claims: { exp: nowS() - 90 } }))).toBe('expired-credential');
    expect(codeOf(await as({ claims: { nbf: nowS() + 90 } }))).toBe('unauthenticated');
  });

  it('is needed from everybody, once an issuer is configured', async () => {
    const closed = await open(
      await configOf({ SKEIN_API_JWT_ISSUER: issuer, SKEIN_API_JWT_AUDIENCE: AUDIENCE }),
    );
    expect((await anonymous(closed, '/api/v1/whoami')).status).toBe(401);
    await closed.stop();
  });

  it('is verified by the keys that the issuer has now', async () => {
    const header = { alg: 'ES256', kid: 'two' };
    const rotated = { header, key: second.privateKey };
    expect((await as(rotated)).status).toBe(401);
    keys = [jwkOf(second.publicKey, 'two', 'ES256')];
    await until(async () => expect((await as(rotated)).status).toBe(200), DEADLINE_MS);
    await until(async () => expect((await as()).status).toBe(401), DEADLINE_MS);
    isBroken = true;
    expect((await as(rotated)).status).toBe(200);
    isBroken = false;
    keys = [jwkOf(first.publicKey, 'one', 'RS256')];
    await until(async () => expect((await as()).status).toBe(200), DEADLINE_MS);
  });
});

describe('no token of the issuer', () => {
  const refused: readonly (readonly [string, () => Promise<string>])[] = [
    ['of another audience', () => tokenOf({ claims: { aud: 'other' } })],
    ['without an audience', () => tokenOf({ claims: { aud: undefined } })],
    ['of another issuer', () => tokenOf({ claims: { iss: 'https://evil.example' } })],
    ['without an end', () => tokenOf({ claims: { exp: undefined } })],
    ['without a subject', () => tokenOf({ claims: { sub: undefined } })],
    ['with an empty subject', () => tokenOf({ claims: { sub: '' } })],
    ['signed by somebody else', () => tokenOf({ key: stranger.privateKey })],
    ['that brings its own key', () => tokenOf({ key: stranger.privateKey, header: ownKey() })],
    [
      'that says where its key is',
      () => tokenOf({ key: stranger.privateKey, header: elsewhere() }),
    ],
    [
      'with another algorithm of the same key',
      () => tokenOf({ header: { alg: 'PS256', kid: 'one' } }),
    ],
    ['without a signature', async () => unsigned('none')],
    ['without a signature, in other letters', async () => unsigned('nOnE')],
    ['whose secret is the public key', () => confused()],
    ['whose secret is the public key in PEM', async () => confusedByHand()],
    ['that was altered', async () => altered(await tokenOf())],
    ['that is cut', async () => (await tokenOf()).split('.').slice(0, 2).join('.')],
    ['that is too long', () => tokenOf({ claims: { more: 'x'.repeat(20_000) } })],
  ];

  const ownKey = () => ({
    ...{ alg: 'RS256', kid: 'one' },
    jwk: stranger.publicKey.export({ format: 'jwk' }) as { kty: string },
  });
  const elsewhere = () => ({ alg: 'RS256', kid: 'evil', jku: `${issuer}/evil`, x5u: issuer });
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = () => ({ iss: issuer, aud: AUDIENCE, sub: 'ann', exp: nowS() + 600 });
  const unsigned = (alg: string) => `${encoded({ alg, typ: 'JWT' })}.${encoded(claims())}.`;
  const pem = () => first.publicKey.export({ type: 'spki', format: 'pem' });
  const confused = () =>
    tokenOf({ key: createSecretKey(Buffer.from(pem())), header: { alg: 'HS256', kid: 'one' } });
  const confusedByHand = () => {
    const text = `${encoded({ alg: 'HS256', kid: 'one' })}.${encoded(claims())}`;
    return `${text}.${createHmac('sha256', pem()).update(text).digest('base64url')}`;
  };
  const altered = (token: string) => {
    const [header, , signature] = token.split('.');
    return [header, encoded({ ...claims(), sub: 'root' }), signature].join('.');
  };

  it.each(refused)('%s is taken', async (_, make) => {
    const answer = await whoami(api, bearer(await make()));
    expect({ status: answer.status, code: codeOf(answer) }).toEqual({
      status: 401,
      code: 'unauthenticated',
    });
  });

  it('is taken by Basic', async () => {
    expect((await whoami(api, basic('ann', await tokenOf()))).status).toBe(401);
  });
});

describe('while the issuer cannot be asked for its keys', () => {
  it('nobody is refused for good, and the key of the configuration works', async () => {
    isBroken = true;
    const blind = await open(
      await configOf({
        ...{ SKEIN_API_KEY: KEY, SKEIN_API_JWT_ISSUER: issuer, SKEIN_API_JWT_AUDIENCE: AUDIENCE },
      }),
    );
    const headers = bearer(await tokenOf());
    expect(await whoami(blind, headers)).toMatchObject({
      status: 503,
      body: { code: 'storage-unavailable' },
    });
    expect((await whoami(blind, bearer(KEY))).status).toBe(200);
    isBroken = false;
    await until(async () => expect((await whoami(blind, headers)).status).toBe(200), DEADLINE_MS);
    await blind.stop();
  });
});
