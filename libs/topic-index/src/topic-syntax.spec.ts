import { describe, expect, it } from '@jest/globals';
import {
  filterFault,
  filtersMeet,
  isExclusive,
  isWildcard,
  matches,
  parseShare,
  plainFilter,
  topicNameFault,
} from './topic-syntax.ts';

describe('topicNameFault', () => {
  it.each(['a', '/', 'a/b', '//', '$SYS/x', 'a b', 'é/😀', '$share/g/a'])('takes %j', (topic) => {
    expect(topicNameFault(topic, 8)).toBeUndefined();
  });

  it.each([
    ['', 'empty'], // [MQTT-4.7.3-1]
    ['a/+', 'wildcard'], // [MQTT-3.3.2-2]
    ['a#', 'wildcard'],
    ['a\0', 'U+0000'], // [MQTT-4.7.3-2]
    ['a/b/c/d', 'more than 3 topic levels'],
  ])('refuses %j', (topic, reason) => {
    expect(topicNameFault(topic, 3)).toContain(reason);
  });
});

describe('filterFault', () => {
  it.each([
    'a',
    '/',
    '#',
    '+',
    '+/#',
    '/+',
    'a/+/b',
    '$share/g/+',
    '$share/g//',
    '$share',
    '$SYS/#',
  ])('takes %j', (filter) => {
    expect(filterFault(filter, 3)).toBeUndefined();
  });

  it.each([
    ['', 'empty'], // [MQTT-4.7.3-1]
    ['a#', 'shares its level'], // [MQTT-4.7.1-1]
    ['#a', 'shares its level'],
    ['#/a', 'not the last level'],
    ['a+', 'shares its level'], // [MQTT-4.7.1-2]
    ['+a/b', 'shares its level'],
    ['++', 'shares its level'],
    ['a\0', 'U+0000'], // [MQTT-4.7.3-2]
    ['a/b/c/d', 'more than 3 topic levels'],
    ['$share/', 'no filter'], // [MQTT-4.8.2-2]
    ['$share/g', 'no filter'],
    ['$share//a', 'share name is empty'], // [MQTT-4.8.2-1]
    ['$share/g+/a', 'share name holds'], // [MQTT-4.8.2-2]
    ['$share/#/a', 'share name holds'],
    ['$share/g/', 'empty'],
    ['$share/g/a#', 'shares its level'],
  ])('refuses %j', (filter, reason) => {
    expect(filterFault(filter, 3)).toContain(reason);
  });

  it('counts the levels of a shared filter without its prefix', () => {
    expect(filterFault('$share/g/a/b/c', 3)).toBeUndefined();
    expect(filterFault('$share/g/a/b/c/d', 3)).toContain('levels');
  });
});

describe('parseShare', () => {
  it('takes a shared filter apart', () => {
    expect(parseShare('$share/g/a/+')).toEqual({ group: 'g', filter: 'a/+' });
    expect(parseShare('$share/g//')).toEqual({ group: 'g', filter: '/' });
  });

  it.each(['a/b', '$share', '$share/g', '$share//a', '$share/g+/a', '$share/g/', '$SHARE/g/a'])(
    'knows that %j is no valid shared filter',
    (filter) => {
      expect(parseShare(filter)).toBeUndefined();
    },
  );
});

describe('an exclusive filter', () => {
  it.each([
    ['$exclusive/a/+', 'a/+'],
    ['$exclusive//', '/'],
    ['$exclusive/$SYS/#', '$SYS/#'],
  ])('%j matches what %j matches', (filter, plain) => {
    expect(filterFault(filter, 2)).toBeUndefined();
    expect(isExclusive(filter)).toBe(true);
    expect(plainFilter(filter)).toBe(plain);
  });

  it.each(['$exclusive/', '$exclusive/a+', '$exclusive/$share/g/a', '$exclusive/$exclusive/a'])(
    '%j is none',
    (filter) => {
      expect(filterFault(filter, 8)).toEqual(expect.any(String));
    },
  );

  it.each(['a', '$exclusive', '$share/g/a', '/$exclusive/a'])('is not %j', (filter) => {
    expect(isExclusive(filter)).toBe(false);
    expect(plainFilter(filter)).toBe(filter);
  });
});

describe('matches', () => {
  it.each([
    ['a', 'a', true],
    ['a', 'b', false],
    ['a', 'a/b', false],
    ['a/b', 'a', false],
    ['a/', 'a', false],
    ['+', '/', false],
    ['+/+', '/', true],
    ['a/+', 'a/', true],
    ['a/+', 'a', false],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['a/#', 'ab', false],
    ['#', 'a/b', true],
    ['#', '$a', false], // [MQTT-4.7.2-1]
    ['+/b', '$a/b', false],
    ['$a/+', '$a/b', true],
    ['+/#', 'a', true],
  ])('%j on %j is %j', (filter, topic, expected) => {
    expect(matches(filter, topic)).toBe(expected);
  });
});

describe('filtersMeet', () => {
  it.each([
    ['a/b', 'a/b'],
    ['a/+', '+/b'],
    ['a/#', 'a/b/c'],
    ['a/#', 'a'],
    ['#', 'a/+/c'],
    ['a/+/#', 'a/b'],
    ['$SYS/#', '$SYS/+'],
    ['+/a', '#'],
  ])('finds that %s and %s may match one topic', (one, other) => {
    expect(filtersMeet(one, other)).toBe(true);
    expect(filtersMeet(other, one)).toBe(true);
  });

  it.each([
    ['a/b', 'a/c'],
    ['a/+', 'b/+'],
    ['a/+', 'a/b/c'],
    ['a/b/#', 'a'],
    ['#', '$SYS/a'],
    ['+/a', '$SYS/#'],
  ])('finds that %s and %s match no topic both', (one, other) => {
    expect(filtersMeet(one, other)).toBe(false);
    expect(filtersMeet(other, one)).toBe(false);
  });
});

describe('isWildcard', () => {
  it('tells filters that may match several topics', () => {
    expect(['+', 'a/#', '#', 'a/+/b'].every(isWildcard)).toBe(true);
    expect(['', 'a', 'a/b', '$SYS'].some(isWildcard)).toBe(false);
  });
});
