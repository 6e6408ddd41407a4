import { expect, it } from '@jest/globals';
import { alternativeNames } from './client-certificate.ts';

it('tells alternative names apart as the certificate does', () => {
  expect(alternativeNames('DNS:a.b, IP Address:10.0.0.1, URI:urn:x:1')).toEqual([
    'DNS:a.b',
    'IP Address:10.0.0.1',
    'URI:urn:x:1',
  ]);
});

it('takes no value that holds a comma for two names', () => {
  const text = 'URI:"urn:x, DNS:admin", DNS:"a\\u0022, DNS:admin"';

  expect(alternativeNames(text)).toEqual(['URI:urn:x, DNS:admin', 'DNS:a", DNS:admin']);
  expect(alternativeNames('')).toEqual([]);
});
