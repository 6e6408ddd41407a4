import { expect, it } from '@jest/globals';
import { ProblemError } from './problem-error.ts';

it.each([
  [new ProblemError('node-unavailable', 'Not done', { nothingDone: true }), true],
  [new ProblemError('overloaded', 'Too much is going on'), true],
  // The node may have done it, and was not heard.
  [new ProblemError('node-unavailable', 'Unknown', { nothingDone: false }), false],
  [new ProblemError('storage-unavailable', 'The store did not answer'), false],
  [new ProblemError('internal', 'A fault'), false],
  [new ProblemError('conflict', 'Not done: another item is faulty', { nothingDone: true }), false],
])('%s may be asked again under the same key: %j', (problem, expected) => {
  expect(problem.changedNothing).toBe(expected);
});
