const PLUS = 0x2b;
const HASH = 0x23;
const SLASH = 0x2f;
const SHARE_PREFIX = '$share/';
const EXCLUSIVE_PREFIX = '$exclusive/';

/** The parts of a shared subscription's filter (MQTT 5, section 4.8.2). */
export interface SharedFilter {
  readonly group: string;
  /** The filter that topics are matched against. */
  readonly filter: string;
}

/**
 * Checks a topic name as PUBLISH and a will carry it (section 4.7).
 *
 * @remarks The length in bytes is the codec's to check.
 *
 * @returns why the name is refused, in words for a reason string; undefined when it is valid.
 */
export function topicNameFault(topic: string, levelsMax: number): string | undefined {
  if (topic.length === 0) return 'the topic name is empty'; // [MQTT-4.7.3-1]
  let levels = 1;
  for (let index = 0; index < topic.length; index += 1) {
    const code = topic.charCodeAt(index);
    if (code === SLASH) levels += 1;
    else if (code === PLUS || code === HASH)
      return 'the topic name holds a wildcard'; // [MQTT-3.3.2-2]
    else if (code === 0) return 'the topic name holds U+0000'; // [MQTT-4.7.3-2]
  }
  return levelsFault(levels, levelsMax);
}

/**
 * Checks a topic filter as SUBSCRIBE and UNSUBSCRIBE carry it, `$share` or `$exclusive` prefix included (sections 4.7
 * and 4.8.2).
 *
 * @remarks The length in bytes is the codec's to check. Levels are counted without the prefix.
 *
 * @returns why the filter is refused, in words for a reason string; undefined when it is valid.
 */
export function filterFault(filter: string, levelsMax: number): string | undefined {
  if (isExclusive(filter)) return exclusiveFault(filter, levelsMax);
  if (!isShared(filter)) return plainFilterFault(filter, levelsMax);
  const end = filter.indexOf('/', SHARE_PREFIX.length);
  if (end === -1) return 'the shared subscription has no filter'; // [MQTT-4.8.2-2]
  if (end === SHARE_PREFIX.length) return 'the share name is empty'; // [MQTT-4.8.2-1]
  const group = filter.slice(SHARE_PREFIX.length, end);
  if (/[+#\0]/u.test(group)) return 'the share name holds a wildcard or U+0000'; // [MQTT-4.8.2-2]
  return plainFilterFault(filter.slice(end + 1), levelsMax);
}

/** Takes a valid `$share/group/filter` apart; undefined when the filter is not shared, or not valid as a shared one. */
export function parseShare(filter: string): SharedFilter | undefined {
  if (!isShared(filter)) return undefined;
  if (filterFault(filter, Infinity) !== undefined) return undefined;
  const end = filter.indexOf('/', SHARE_PREFIX.length);
  return { group: filter.slice(SHARE_PREFIX.length, end), filter: filter.slice(end + 1) };
}

/** Tells whether a filter is that of a shared subscription: `$share/group/filter`. */
export function isShared(filter: string): boolean {
  return filter.startsWith(SHARE_PREFIX);
}

/** Tells whether a filter asks for an exclusive subscription: `$exclusive/filter`. */
export function isExclusive(filter: string): boolean {
  return filter.startsWith(EXCLUSIVE_PREFIX);
}

/** The filter that topics are matched against, for one that is not shared: without the `$exclusive/` prefix. */
export function plainFilter(filter: string): string {
  return isExclusive(filter) ? filter.slice(EXCLUSIVE_PREFIX.length) : filter;
}

/**
 * Tells whether a valid filter (without `$share` prefix) matches a valid topic name.
 *
 * @remarks For a single pair. To find the matches among many filters use a TopicTrie, among many topics a TopicSet;
 * both are tested against this function.
 */
export function matches(filter: string, topic: string): boolean {
  const levels = topic.split('/');
  const wanted = filter.split('/');
  if (topic.startsWith('$') && (wanted[0] === '+' || wanted[0] === '#')) return false; // [MQTT-4.7.2-1]
  for (const [depth, level] of wanted.entries()) {
    if (level === '#') return true;
    if (depth === levels.length || (level !== '+' && level !== levels[depth])) return false;
  }
  return wanted.length === levels.length;
}

/**
 * Tells whether some topic name may match both of two valid filters (without `$share` prefix).
 *
 * @remarks As with matches(), a wildcard at the beginning does not stand for a level that begins with `$`.
 */
export function filtersMeet(one: string, other: string): boolean {
  const levels = levelsOf(one);
  const others = levelsOf(other);
  if (one.startsWith('$') ? isOpen(others) : other.startsWith('$') && isOpen(levels)) return false; // [MQTT-4.7.2-1]
  for (let depth = 0; depth < levels.length || depth < others.length; depth += 1) {
    const level = levels[depth];
    const against = others[depth];
    if (level === '#' || against === '#') return true;
    if (level === undefined || against === undefined) return false;
    if (level !== against && level !== '+' && against !== '+') return false;
  }
  return true;
}

/**
 * Tells whether every topic name that a valid filter matches is matched by another one, too (both without `$share` prefix).
 *
 * @remarks Exact for any two filters.
 */
export function filterCovers(cover: string, filter: string): boolean {
  const covers = levelsOf(cover);
  const levels = levelsOf(filter);
  if (filter.startsWith('$') && isOpen(covers)) return false; // [MQTT-4.7.2-1]
  for (const [depth, wanted] of covers.entries()) {
    if (wanted === '#') return true;
    const level = levels[depth];
    if (level === undefined || level === '#') return false;
    if (wanted !== level && wanted !== '+') return false;
  }
  return covers.length === levels.length;
}

/** Tells whether a valid filter holds a wildcard, so that it may match more than one topic. */
export function isWildcard(filter: string): boolean {
  return filter.includes('+') || filter.endsWith('#');
}

/** The levels of a filter. No topic is empty: `#` matches what `+/#` does, and `/#` what `/+/#` does. */
function levelsOf(filter: string): readonly string[] {
  if (filter === '#') return ['+', '#'];
  return filter === '/#' ? ['', '+', '#'] : filter.split('/');
}

/** Whether a filter begins with a wildcard. */
function isOpen([first]: readonly string[]): boolean {
  return first === '+' || first === '#';
}

function exclusiveFault(filter: string, levelsMax: number): string | undefined {
  const plain = plainFilter(filter);
  if (isExclusive(plain) || isShared(plain)) {
    return 'an exclusive subscription is neither shared nor exclusive once more';
  }
  return plainFilterFault(plain, levelsMax);
}

function plainFilterFault(filter: string, levelsMax: number): string | undefined {
  if (filter.length === 0) return 'the topic filter is empty'; // [MQTT-4.7.3-1]
  let levels = 1;
  for (let index = 0; index < filter.length; index += 1) {
    const code = filter.charCodeAt(index);
    if (code === SLASH) levels += 1;
    else if (code === 0)
      return 'the topic filter holds U+0000'; // [MQTT-4.7.3-2]
    else if ((code === PLUS || code === HASH) && !isAlone(filter, index)) {
      return 'a wildcard shares its level with other characters'; // [MQTT-4.7.1-1], [MQTT-4.7.1-2]
    } else if (code === HASH && index !== filter.length - 1) {
      return '# is not the last level'; // [MQTT-4.7.1-1]
    }
  }
  return levelsFault(levels, levelsMax);
}

function isAlone(filter: string, index: number): boolean {
  const opens = index === 0 || filter.charCodeAt(index - 1) === SLASH;
  return opens && (index === filter.length - 1 || filter.charCodeAt(index + 1) === SLASH);
}

function levelsFault(levels: number, levelsMax: number): string | undefined {
  return levels > levelsMax ? `more than ${String(levelsMax)} topic levels` : undefined;
}
