import { describe, expect, it } from '@jest/globals';
import { isDelayed, parseDelayed } from './delayed-topic.ts';

describe('a delayed topic', () => {
  it.each([
    ['$delayed/5/a/b', 5, 'a/b'],
    ['$delayed/05/a', 5, 'a'],
    ['$delayed/4294967295/a', 4_294_967_295, 'a'],
    ['$delayed/1//', 1, '/'],
    ['$delayed/1/$SYS/a', 1, '$SYS/a'],
    ['$delayed/1/é\n😀', 1, 'é\n😀'],
  ])('%j has a delay and a topic', (topic, seconds, rest) => {
    expect(isDelayed(topic)).toBe(true);
    expect(parseDelayed(topic, 10)).toEqual({ seconds, topic: rest });
  });

  it.each([
    '$delayed/',
    '$delayed/5',
    '$delayed/5/',
    '$delayed//a',
    '$delayed/0/a',
    '$delayed/4294967296/a',
    '$delayed/99999999999/a',
    '$delayed/-1/a',
    '$delayed/1.5/a',
    '$delayed/ 5/a',
    '$delayed/x/a',
    '$delayed/5/$delayed/5/a',
    '$delayed/5/1/2/3/4/5/6/7/8/9/10/11',
  ])('%j is refused', (topic) => {
    expect(parseDelayed(topic, 10)).toEqual(expect.any(String));
  });

  it.each(['$delayed', 'delayed/5/a', '/$delayed/5/a', '$DELAYED/5/a'])('is not %j', (topic) => {
    expect(isDelayed(topic)).toBe(false);
  });
});
