import { expect, it } from '@jest/globals';
import { ByLabel, OTHER } from './by-label.ts';

const made: string[] = [];
const cells = (values: readonly string[], max?: number) => {
  made.length = 0;
  const make = (value: string) => {
    made.push(value);
    return { value };
  };
  return max === undefined ? new ByLabel(values, make) : new ByLabel(values, make, max);
};

it('makes announced values at once and finds them again', () => {
  const series = cells(['a', 'b']);

  expect(made).toEqual(['a', 'b']);
  expect(series.get('a')).toBe(series.get('a'));
});

it('finds each value in whatever order they are asked for', () => {
  const series = cells(['a', 'b'], 3);
  const asked = ['a', 'a', 'b', 'c', 'c', 'a', 'd', 'e', 'c', 'b'];

  expect(asked.map((value) => series.get(value).value)).toEqual([
    ...['a', 'a', 'b', 'c', 'c', 'a'],
    ...[OTHER, OTHER, 'c', 'b'],
  ]);
});

it('takes what nobody announced for other', () => {
  const series = cells(['a']);

  expect(series.get('x').value).toBe(OTHER);
  expect(series.get('y')).toBe(series.get('x'));
  expect(made).toEqual(['a', OTHER]);
});

it('gives the first values of an open label their own series and the rest one', () => {
  const series = cells([], 200);
  for (let index = 0; index < 20_000; index += 1) series.get(`bridge-${index}`);

  expect(made).toHaveLength(201);
  expect(made.at(-1)).toBe(OTHER);
  expect(series.get('bridge-199').value).toBe('bridge-199');
});
