import 'reflect-metadata';
import { expect, it } from '@jest/globals';
import { OPERATIONS } from '#libs/api-contracts';
import { CONTROLLERS } from './api.module.ts';
import { OPERATION_ID } from './http/route.ts';

it('has one handler for every operation of the document, and no other route', () => {
  const handlers = CONTROLLERS.flatMap(({ prototype }) =>
    Object.values(Object.getOwnPropertyDescriptors(prototype)).map(({ value }) => value as object),
  ).filter((method) => Reflect.hasMetadata('method', method));
  const ids = handlers.map((method) => Reflect.getMetadata(OPERATION_ID, method) as string);

  expect(ids).toHaveLength(Object.keys(OPERATIONS).length);
  expect(new Set(ids)).toEqual(new Set(Object.keys(OPERATIONS)));
});
