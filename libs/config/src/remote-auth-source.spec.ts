import { expect, it } from '@jest/globals';
import { checkRemoteAuthSource } from './remote-auth-source.ts';

const POLICY = { secretsDir: '/run/secrets', envPrefix: 'AUTH_SECRET_', allowPrivate: false };
const HOOK = { kind: 'webhook', url: 'https://login.example/' };
const JWKS = { kind: 'jwt', jwksUrl: 'https://issuer.example/keys' };

it.each([
  [HOOK],
  [{ ...HOOK, headers: { authorization: { env: 'AUTH_SECRET_HOOK' } } }],
  [{ ...HOOK, caFile: '/run/secrets/ca.pem' }],
  [JWKS],
  [{ kind: 'jwt', secret: { file: '/run/secrets/jwt' } }],
  [{ kind: 'certificate' }],
])('%j is taken, with its defaults', (value) => {
  expect(checkRemoteAuthSource(value, POLICY)).toMatchObject({ kind: 'sound', source: value });
});

it.each([
  [{ kind: 'users' }, ['kind']],
  [{ kind: 'stored' }, ['kind']],
  [{ kind: 'ldap' }, ['kind']],
  [{ ...HOOK, url: 'ftp://a' }, ['url']],
  [{ ...HOOK, colour: 'red' }, ['colour']],
  [{ ...HOOK, url: `${HOOK.url}?key=planted` }, ['url']],
  [{ ...JWKS, jwksUrl: `${JWKS.jwksUrl}?key=planted` }, ['jwksUrl']],
  [{ ...HOOK, headers: { authorization: 'Bearer planted' } }, ['headers', 'authorization']],
  [{ ...HOOK, allowPrivate: true }, ['allowPrivate']],
  [{ ...HOOK, headers: { a: { env: 'PATH' } } }, ['headers', 'a', 'env']],
  [{ ...HOOK, headers: { a: { file: '/etc/shadow' } } }, ['headers', 'a', 'file']],
  [{ ...HOOK, caFile: '/run/secrets/../../etc/shadow' }, ['caFile']],
  [{ kind: 'jwt', keyFile: 'key.pem' }, ['keyFile']],
  [{ kind: 'jwt', jwksFile: '/run/secrets-of-others/keys' }, ['jwksFile']],
  [{ kind: 'jwt', secret: { env: 'SKEIN_API_KEY' } }, ['secret', 'env']],
  [{ kind: 'jwt', secret: { env: 'AWS_SECRET_ACCESS_KEY' } }, ['secret', 'env']],
  [{ kind: 'jwt', jwksUrl: 'http://127.0.0.1/keys' }, ['jwksUrl']],
  [{ kind: 'jwt' }, []],
])('%j is refused, and says where', (value, path) => {
  expect(checkRemoteAuthSource(value, POLICY)).toMatchObject({
    kind: 'faulty',
    faults: [expect.objectContaining({ path })],
  });
});

it('files are named only where there is a directory for them', () => {
  const value = { kind: 'jwt', keyFile: '/run/secrets/key.pem' };
  expect(checkRemoteAuthSource(value, POLICY).kind).toBe('sound');
  const { secretsDir: _, ...none } = POLICY;
  expect(checkRemoteAuthSource(value, none)).toMatchObject({ kind: 'faulty' });
});
