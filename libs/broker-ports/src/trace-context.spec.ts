import { expect, it } from '@jest/globals';
import { parseTraceparent, traceparentOf } from './index.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const context = { traceId: TRACE, spanId: SPAN };

it.each([
  [`00-${TRACE}-${SPAN}-01`, true],
  [`00-${TRACE}-${SPAN}-00`, false],
  [`00-${TRACE}-${SPAN}-03`, true],
  [`cc-${TRACE}-${SPAN}-01-what-comes-later`, true],
])('reads %s', (text, sampled) => {
  expect(parseTraceparent(text)).toEqual({ context, sampled });
});

it.each([
  '',
  'traceparent',
  `ff-${TRACE}-${SPAN}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE}-${SPAN}-01-more`,
  `00-${TRACE}-${SPAN}-1`,
  ` 00-${TRACE}-${SPAN}-01`,
  `cc-${TRACE}-${SPAN}-01-${'x'.repeat(1_000)}`,
])('takes %j for none', (text) => {
  expect(parseTraceparent(text)).toBeUndefined();
});

it('reads what it has written', () => {
  expect(parseTraceparent(traceparentOf(context))).toEqual({ context, sampled: true });
});
