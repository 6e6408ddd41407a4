import { expect, it } from '@jest/globals';
import { snakeKeys } from './snake-keys.ts';

it('writes names of fields as the API does, and leaves names of things as they are', () => {
  const value = { heapUsedBytes: 1, list: [{ notAfterMs: null }], TCPSocketWrap: 2, 'a.bC': 'xY' };
  expect(snakeKeys(value)).toEqual({
    ...{ heap_used_bytes: 1, list: [{ not_after_ms: null }], TCPSocketWrap: 2, 'a.bC': 'xY' },
  });
});
