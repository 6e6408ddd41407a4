import { z } from 'zod';
import { secretReference } from './secret-reference.ts';

const EXPECTED = 'a map of names to texts, { file: PATH } or { env: NAME }';

/** Headers of HTTP requests, as the file states them. @internal */
export const requestHeaders = z
  .record(
    z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$/),
    z.union([z.string().regex(/^[ -~]{0,4096}$/), secretReference]),
    { error: `must be ${EXPECTED}` },
  )
  .default({})
  .meta({
    description: 'Headers of every request. Secrets by reference only: texts are shown.',
    expects: EXPECTED,
  });
