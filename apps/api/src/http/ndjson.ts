import { requireShallow } from './json-depth.ts';
import { ProblemError } from './problem-error.ts';

/**
 * The values of a body with one JSON value in a line; empty lines count for nothing.
 *
 * @throws ProblemError naming the first line that is no JSON.
 */
export function parseLines(text: string): readonly unknown[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, index) => {
    requireShallow(line, `/${index}`);
    try {
      return JSON.parse(line) as unknown;
    } catch {
      const detail = 'The line is no JSON value';
      throw new ProblemError('validation-failed', detail, {
        errors: [{ pointer: `/${index}`, code: 'invalid-json', detail }],
      });
    }
  });
}
