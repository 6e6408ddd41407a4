import { expect, it } from '@jest/globals';
import { ConfigError } from './config-error.ts';
import { loadConfig } from './load.ts';

const ISSUER = { SKEIN_API_JWT_ISSUER: 'https://id.example' };
const AUDIENCE = { SKEIN_API_JWT_AUDIENCE: 'skein' };

const fieldsOf = (env: Readonly<Record<string, string>>): readonly string[] => {
  try {
    loadConfig({ env });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split('\n').map((line) => line.split(': ', 1)[0] ?? '');
  }
};

it.each([
  [{ ...ISSUER, ...AUDIENCE }, []],
  [{ ...AUDIENCE, SKEIN_API_JWT_ISSUER: 'id', SKEIN_API_JWT_JWKS_FILE: 'keys.json' }, []],
  [ISSUER, ['api.jwt.audience']],
  [AUDIENCE, ['api.jwt.issuer']],
  [{ ...AUDIENCE, SKEIN_API_JWT_ISSUER: 'id' }, ['api.jwt.issuer']],
  [
    {
      ...{ ...ISSUER, ...AUDIENCE, SKEIN_API_JWT_JWKS_FILE: 'keys.json' },
      SKEIN_API_JWT_JWKS_URL: 'https://id.example/keys',
    },
    ['api.jwt.jwksFile'],
  ],
  [{ SKEIN_API_JWT_LEEWAY_SECONDS: '61' }, ['SKEIN_API_JWT_LEEWAY_SECONDS']],
  [{ SKEIN_API_JWT_ALGORITHMS: 'HS256' }, ['SKEIN_API_JWT_ALGORITHMS']],
  [{ SKEIN_API_JWT_ALGORITHMS: 'none' }, ['SKEIN_API_JWT_ALGORITHMS']],
  [{ SKEIN_API_JWT_JWKS_URL: 'http://id.example/keys' }, ['SKEIN_API_JWT_JWKS_URL']],
  [{ SKEIN_API_TRUSTED_PROXIES: 'everybody' }, ['SKEIN_API_TRUSTED_PROXIES']],
  [{ SKEIN_API_HOST: '0.0.0.0' }, []],
])('of %j the faults are of %j', (env, fields) => {
  const found = fieldsOf(env).map((field) => field.replace(/\[\d+\]$/, ''));
  expect(found).toEqual(fields);
});
