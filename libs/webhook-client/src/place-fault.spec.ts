import { describe, expect, it } from '@jest/globals';
import { placeFault } from './place-fault.ts';

describe('placeFault', () => {
  it.each([
    'https://localhost/',
    'https://a.localhost/',
    'https://127.1/',
    'https://0x7f000001/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://[fe80::1]/',
    'https://[fd00::1]/',
    'https://169.254.169.254/latest/meta-data',
    'https://192.168.0.1/',
    'http://10.0.0.1/',
  ])('refuses %s, which is no place of the internet', (url) => {
    expect(placeFault(new URL(url))?.kind).toBe('private');
  });

  it('refuses what is not encrypted', () => {
    expect(placeFault(new URL('http://hooks.example/'))?.kind).toBe('plain');
  });

  it.each(['https://hooks.example/a?b', 'https://8.8.8.8/', 'https://[2606:4700::1111]/'])(
    'has nothing against %s',
    (url) => {
      expect(placeFault(new URL(url))).toBeUndefined();
    },
  );
});
