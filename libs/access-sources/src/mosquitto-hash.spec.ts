import { pbkdf2Sync } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { deriveScramCredential, parseScramCredential } from '#libs/access';
import { credentialOfMosquitto } from './mosquitto-hash.ts';
import { NodeScramCrypto } from './node-scram-crypto.ts';

const SALT = Buffer.from('0123456789ab');

/** What mosquitto_passwd writes for a password. */
function hashOf(password: string, iterations: number): string {
  const key = pbkdf2Sync(password, SALT, iterations, 64, 'sha512');
  return `$7$${iterations}$${SALT.toString('base64')}$${key.toString('base64')}`;
}

it('a hash of mosquitto_passwd recognises the same password as a SCRAM credential', async () => {
  const converted = credentialOfMosquitto(hashOf('tide', 4096));
  const credential = parseScramCredential(converted?.kind === 'taken' ? converted.credential : '');
  const options = { mechanism: 'SCRAM-SHA-512', salt: SALT, iterations: 4096 } as const;
  const derived = await deriveScramCredential(new NodeScramCrypto(), 'tide', options);
  expect(credential?.storedKey).toEqual(derived.storedKey);
  expect(credential?.serverKey).toEqual(derived.serverKey);
});

it('one with few iterations is weak, and others are none', () => {
  expect(credentialOfMosquitto(hashOf('tide', 101))).toEqual({ kind: 'weak' });
  for (const text of [
    '',
    '$7$',
    '$6$4096$AAAA$BBBB',
    '$7$4096$AAAA$BBBB',
    `$7$4096$AAAA$${'A'.repeat(86)}==`,
  ]) {
    expect(credentialOfMosquitto(text)).toBeUndefined();
  }
});
