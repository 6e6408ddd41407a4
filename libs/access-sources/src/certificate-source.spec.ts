import { describe, expect, it } from '@jest/globals';
import { CertificateSource, type CertificateName } from './index.ts';

const CLIENT = { clientId: 'c', address: '10.0.0.1', listener: 'tls', password: undefined };
const CERTIFICATE = {
  commonName: 'sensor-7',
  sans: ['DNS:a.example', 'DNS:b.example', 'URI:urn:device:7', 'email:seven@example'],
  notAfterMs: 5_000,
};

const login = async (
  name: CertificateName,
  certificate: typeof CERTIFICATE | { readonly sans: readonly string[] } | undefined = CERTIFICATE,
  username?: string,
) =>
  await new CertificateSource(name).login({
    ...CLIENT,
    username,
    ...(certificate !== undefined && { certificate }),
  });

describe('a certificate', () => {
  it.each([
    ['commonName', 'sensor-7'],
    ['uri', 'urn:device:7'],
    ['email', 'seven@example'],
  ] as const)('names its user by %s', async (name, user) => {
    expect(await login(name)).toEqual({ kind: 'allowed', identity: { user, expiresAtMs: 5_000 } });
  });

  it('names nobody without such a name, or with several', async () => {
    expect(await login('dns')).toEqual({ kind: 'not-mine' });
    expect(await login('commonName', { sans: [] })).toEqual({ kind: 'not-mine' });
    const source = new CertificateSource('commonName');
    expect(await source.login({ ...CLIENT, username: 'sensor-7' })).toEqual({ kind: 'not-mine' });
  });

  it('goes with its own user name or none', async () => {
    expect(await login('commonName', CERTIFICATE, 'sensor-7')).toMatchObject({ kind: 'allowed' });
    expect(await login('commonName', CERTIFICATE, 'root')).toMatchObject({ kind: 'denied' });
    expect(await login('email', { sans: ['email:\u0007'] })).toMatchObject({ kind: 'denied' });
  });
});
