import { expect, it } from '@jest/globals';
import { partsOf } from './parts.mjs';

const test = (status, duration, ...ancestorTitles) => ({ status, duration, ancestorTitles });

it('counts what held and what did not, part by part', () => {
  const testResults = [
    {
      name: '/x/render.e2e.mjs',
      assertionResults: [
        test('passed', 500, 'schemas'),
        test('failed', 250, 'schemas'),
        test('pending', null, 'helm3: refuses', 'inner'),
      ],
    },
    { name: '/x/content.e2e.mjs', assertionResults: [test('passed', 1_000)] },
    { name: '/x/broken.e2e.mjs', assertionResults: [], message: 'cannot be read' },
  ];

  expect(partsOf({ testResults }).split('\n')).toEqual([
    '',
    'schemas                        1 passed   1 failed     0.8 s',
    'helm3: refuses                 0 passed   1 failed     0.0 s',
    'what single values come to     1 passed   0 failed     1.0 s',
    'broken.e2e.mjs                 0 passed   1 failed     0.0 s',
    'total: 2 passed, 3 failed',
  ]);
});

it('of a run that left nothing there is nothing', () => {
  expect(partsOf({})).toBe('\ntotal: 0 passed, 0 failed');
});
