import { expect, it } from '@jest/globals';
import { NotFoundException, UnsupportedMediaTypeException } from '@nestjs/common';
import { PROBLEMS, problemSchema, type ProblemCode } from '#libs/api-contracts';
import { ProblemError } from './problem-error.ts';
import { problemOf } from './problem-of.ts';

const get = (path: string) => ({ method: 'GET', path });

it.each([
  [new NotFoundException(), get('/x'), 'not-found'],
  [new NotFoundException(), get('/api/v1/messages'), 'method-not-allowed'],
  [new UnsupportedMediaTypeException(), get('/x'), 'unsupported-media-type'],
  [{ statusCode: 413 }, get('/x'), 'payload-too-large'],
  [{ statusCode: 400 }, get('/x'), 'validation-failed'],
  [new TypeError('secret'), get('/x'), 'internal'],
  ['text', get('/x'), 'internal'],
  [undefined, get('/x'), 'internal'],
])('maps %p of %j to %s', (error, request, code) => {
  const problem = problemOf(error, request);

  expect(problem.code).toBe(code);
  expect(JSON.stringify(problem.body('/x', 'id'))).not.toContain('secret');
});

it.each(Object.keys(PROBLEMS) as ProblemCode[])(
  'gives %s a body that the contract knows',
  (code) => {
    const body = new ProblemError(code, 'why', {
      errors: [{ pointer: '/a', code: 'c', detail: 'd' }],
      mqttReasonCode: 0x90,
    }).body('/path', 'id');

    expect(problemSchema.strict().safeParse(body).error).toBeUndefined();
  },
);
