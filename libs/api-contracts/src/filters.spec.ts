import { expect, it } from '@jest/globals';
import { z } from 'zod';
import {
  bodyConditionsOf,
  choiceField,
  conditionsOf,
  countField,
  fieldsQuery,
  filterBody,
  filterQuery,
  flagField,
  meets,
  sortQuery,
  sparse,
  textField,
  timeField,
} from './filters.ts';

const FIELDS = {
  name: textField(['eq', 'like', 'in'], 'The name.'),
  size: countField(['eq', 'gte', 'lte'], 'The size.'),
  made_at: timeField(['gte', 'lte'], 'When.'),
  open: flagField('Whether it is open.'),
  state: choiceField(['on', 'off'], ['eq', 'in'], ''),
};
const query = z.strictObject(filterQuery(FIELDS));

const conditions = (given: Readonly<Record<string, string>>) =>
  conditionsOf(FIELDS, query.parse(given));

it('names a parameter for each operator of a field, and says what it means', () => {
  expect(Object.keys(query.shape)).toEqual([
    'name',
    'name[like]',
    'name[in]',
    'size',
    'size[gte]',
    'size[lte]',
    'made_at[gte]',
    'made_at[lte]',
    'open',
    'state',
    'state[in]',
  ]);
  expect(query.shape['name[like]'].description).toBe('The name. Begins with this.');
});

it('makes conditions of what a query holds', () => {
  expect(conditions({})).toEqual([]);
  expect(
    conditions({
      'name[in]': 'a,b',
      'size[gte]': '7',
      'made_at[lte]': '1970-01-01T01:00:01+01:00',
      open: 'false',
    }),
  ).toEqual([
    { field: 'name', operator: 'in', value: ['a', 'b'] },
    { field: 'size', operator: 'gte', value: 7 },
    { field: 'made_at', operator: 'lte', value: 1_000 },
    { field: 'open', operator: 'eq', value: false },
  ]);
});

it.each([
  { name: '' },
  { 'name[gte]': 'a' },
  { size: '-1' },
  { size: '1e3' },
  { 'size[gte]': '9'.repeat(16) },
  { 'made_at[gte]': 'yesterday' },
  { open: '1' },
  { state: 'ajar' },
  { 'state[in]': 'on,ajar' },
  { 'name[in]': Array.from({ length: 101 }, () => 'a').join(',') },
])('refuses %j', (given) => {
  expect(query.safeParse(given).success).toBe(false);
});

it.each([
  [{ name: 'press' }, false],
  [{ 'name[like]': 'press' }, true],
  [{ 'name[like]': 'ress' }, false],
  [{ 'name[in]': 'a,press/7' }, true],
  [{ size: '5' }, true],
  [{ 'size[gte]': '5', 'size[lte]': '5' }, true],
  [{ 'size[gte]': '6' }, false],
  [{ 'size[lte]': '4' }, false],
  [{ open: 'true' }, true],
  [{ 'made_at[gte]': '1970-01-01T00:00:00Z' }, false],
] as const)('%j holds of an item or not', (given, holds) => {
  const item = { name: 'press/7', size: 5, open: true, made_at: null };

  expect(meets(conditions(given), (field) => item[field as keyof typeof item])).toBe(holds);
});

it('orders by a field in either direction, and shows some fields', () => {
  const { sort } = sortQuery(['name', 'size']);
  const { fields } = fieldsQuery(z.object({ name: z.string(), size: z.number() }));

  expect([sort.parse(undefined), sort.parse('-size')]).toEqual(['name', '-size']);
  expect(sort.safeParse('state').success).toBe(false);
  expect(fields.parse('size,name')).toEqual(['size', 'name']);
  expect(fields.safeParse('size,state').success).toBe(false);
  expect(sparse({ name: 'a', size: 1 }, ['size'])).toEqual({ size: 1 });
  expect(sparse({ name: 'a', size: 1 }, ['size'], 'name')).toEqual({ name: 'a', size: 1 });
  expect(sparse({ name: 'a' }, undefined)).toEqual({ name: 'a' });
});

it('makes conditions of what a body holds', () => {
  const body = z.strictObject(filterBody(FIELDS));
  const of = (given: object) => bodyConditionsOf(FIELDS, body.parse(given));
  expect(of({})).toEqual([]);
  const given = {
    ...{ name: { in: ['a,b', 'c'] }, size: 3, open: true, state: 'on' },
    made_at: { gte: '1970-01-01T00:00:01Z', lte: '1970-01-01T00:00:02Z' },
  };
  expect(of(given)).toEqual([
    { field: 'name', operator: 'in', value: ['a,b', 'c'] },
    { field: 'size', operator: 'eq', value: 3 },
    { field: 'made_at', operator: 'gte', value: 1_000 },
    { field: 'made_at', operator: 'lte', value: 2_000 },
    { field: 'open', operator: 'eq', value: true },
    { field: 'state', operator: 'eq', value: 'on' },
  ]);
  for (const bad of [{ size: -1 }, { made_at: 5 }, { open: 'yes' }, { name: { gte: 'a' } }]) {
    expect(body.safeParse(bad).success).toBe(false);
  }
});
