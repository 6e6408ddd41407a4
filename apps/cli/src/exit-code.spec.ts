import { expect, it } from '@jest/globals';
import { ApiError } from '#libs/api-client';
import { explain } from './exit-code.ts';

it('what a device has chosen as its name is no order to the terminal', () => {
  const problem = {
    ...{ type: 'about:blank', title: 'Not found', status: 503, code: 'node-unavailable' as const },
    ...{ detail: 'no \u001b]0;owned\u0007', instance: '/x', request_id: 'r\u009b2J' },
    errors: [{ pointer: '/a\u001b[2J', code: 'x', detail: 'b\nc' }],
  };
  const text = explain(new ApiError(problem.detail, { kind: 'refused', status: 503, problem }));
  // oxlint-disable-next-line no-control-regex -- exactly these are meant
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  expect(text).toContain('node-unavailable: no \\u001b]0;owned\\u0007');
  expect(text).toContain('\n  /a\\u001b[2J: b\\u000ac\n');
});
