const PATH_CHARACTERS_MAX = 2_048;
/** What a path may hold as it is; a percent sign of a client is text, not an escape. */
const LONE_SURROGATE = /\p{Surrogate}/u;
const ESCAPED = /[^A-Za-z0-9\-._~/:@!$&'()*+,;=]+/g;

/**
 * Checks the path that a rule gives for a message.
 *
 * @remarks Names that clients choose may be part of it, so it can never lead out of the path of the bridge's URL.
 * @returns why nothing is posted there; undefined when it can be.
 */
export function pathFault(path: string): string | undefined {
  if (!path.startsWith('/')) return 'the path must begin with a slash';
  if (path.length > PATH_CHARACTERS_MAX) return 'the path has more than 2,048 characters';
  if (/(?:^|\/)\.{1,2}(?:\/|$)/.test(path)) return 'the path may not have a level "." or ".."';
  if (LONE_SURROGATE.test(path)) return 'the path is not valid Unicode';
  return undefined;
}

/** The path and query of a request: `/` means the URL itself. */
export function requestPath({ pathname, search }: URL, path: string): string {
  if (path === '/') return pathname + search;
  const escaped = path.replaceAll(ESCAPED, (text) => encodeURIComponent(text));
  return pathname.replace(/\/$/, '') + escaped + search;
}
