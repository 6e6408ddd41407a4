import { ProblemError } from './problem-error.ts';

/** How deep arrays and objects of a body may lie in each other: whatever walks through a body may call itself that often. */
export const JSON_LEVELS_MAX = 100;

/**
 * Holds a JSON text to a depth before it is parsed.
 *
 * @param pointer - where in the body the text is.
 * @throws ProblemError 400.
 */
export function requireShallow(text: string, pointer = ''): void {
  let levels = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x22: {
        at = endOfString(text, at);
        break;
      }
      case 0x5b:
      case 0x7b: {
        levels += 1;
        if (levels > JSON_LEVELS_MAX) throw tooDeep(pointer);
        break;
      }
      case 0x5d:
      case 0x7d: {
        levels -= 1;
        break;
      }
    }
  }
}

/** Where the string that begins here ends; the end of the text when it does not. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at;
    if (code === 0x5c) at += 1;
  }
  return text.length;
}

function tooDeep(pointer: string): ProblemError {
  const detail = `Arrays and objects may lie ${JSON_LEVELS_MAX} deep in each other`;
  return new ProblemError('validation-failed', detail, {
    errors: [{ pointer, code: 'too-deep', detail }],
  });
}
