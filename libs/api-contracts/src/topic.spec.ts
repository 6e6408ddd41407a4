import { expect, it } from '@jest/globals';
import { isTopicFilter, isTopicName, methodsOf } from './index.ts';

it.each(['a', '/', 'a/b', '$SYS/x', 'é/😀', 'x'.repeat(65_535)])('takes topic name %#', (topic) => {
  expect(isTopicName(topic)).toBe(true);
});

it.each(['', 'a/#', '+', 'a+b', 'a\0', 'é'.repeat(40_000)])('refuses topic name %#', (topic) => {
  expect(isTopicName(topic)).toBe(false);
});

it.each(['#', '+', 'a/+/b', 'a/#', '+/+', '/', '$SYS/#'])('takes filter %s', (filter) => {
  expect(isTopicFilter(filter)).toBe(true);
});

it.each(['', 'a#', '#/a', 'a+', 'a/b+/c', 'a\0'])('refuses filter %#', (filter) => {
  expect(isTopicFilter(filter)).toBe(false);
});

it('knows the methods of a path', () => {
  expect(methodsOf('/api/v1/clients/x')).toEqual(['GET', 'DELETE', 'HEAD', 'OPTIONS']);
  expect(methodsOf('/api/v1/messages')).toEqual(['POST', 'OPTIONS']);
  expect(methodsOf('/api/v1/nothing')).toEqual([]);
});
