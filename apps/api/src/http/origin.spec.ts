import { expect, it } from '@jest/globals';
import { originOf } from './origin.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

const traceparentOf = (traceparent?: string): string | undefined =>
  originOf({ id: 'r1', headers: traceparent === undefined ? {} : { traceparent } }).traceparent;

it('a traceparent is passed on as it came', () => {
  const given = `00-${TRACE}-${SPAN}-01`;
  expect(originOf({ id: 'r1', headers: { traceparent: given } })).toEqual({
    requestId: 'r1',
    traceparent: given,
  });
});

it.each([
  undefined,
  '',
  '00-x',
  `ff-${TRACE}-${SPAN}-01`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01-more`,
  `00-${TRACE}-${SPAN}-01\r\nx: y`,
])('%j is none', (given) => {
  expect(traceparentOf(given)).toBeUndefined();
});
