import { describe, expect, it } from '@jest/globals';
import { pathFault, requestPath } from './webhook-path.ts';

describe('pathFault', () => {
  it.each(['/', '/devices/d1', '/a..b/.c', '/%2e%2e/x', '/a//b', '/é 😀?#'])('takes %j', (path) => {
    expect(pathFault(path)).toBeUndefined();
  });

  it.each([
    '',
    'devices',
    '/..',
    '/../admin',
    '/a/./b',
    '/a/..',
    `/${'a'.repeat(2_048)}`,
    '/\ud800',
  ])('refuses %j', (path) => {
    expect(pathFault(path)).toMatch(/^the path /);
  });
});

describe('requestPath', () => {
  it.each([
    ['http://h', '/', '/'],
    ['http://h/hook', '/', '/hook'],
    ['http://h/hook', '/a', '/hook/a'],
    ['http://h/hook/?code=7', '/a/b', '/hook/a/b?code=7'],
    // What a client may have chosen stays a part of the path.
    ['http://h/hook', '/a b?c=d#e', '/hook/a%20b%3Fc=d%23e'],
    ['http://h/hook', '/%2e%2e/é', '/hook/%252e%252e/%C3%A9'],
  ])('of %s and %s is %s', (url, path, expected) => {
    expect(requestPath(new URL(url), path)).toBe(expected);
  });
});
