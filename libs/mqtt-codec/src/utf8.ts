/** Shorter texts are handled byte by byte: up to about this length that beats a call into native code. */
const SHORT_BYTES = 32;

/** Texts of up to this many bytes are remembered, and how many at most: some 400 KB. A power of two. */
const REMEMBERED_BYTES_MAX = 64;
const REMEMBERED_TEXTS_MAX = 4096;

/**
 * Texts read lately, each in the slot of its hash. Topics and names of properties come again and again: handing out the
 * same string spares the call into native code, its memory, and the hashing where it is looked up.
 */
const remembered = Array.from({ length: REMEMBERED_TEXTS_MAX }, () => '');

/** The number of bytes that a text takes in UTF-8; a lone surrogate counts as the replacement character it becomes. */
export function utf8ByteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

/**
 * Writes a text in UTF-8 and returns the offset after it.
 *
 * @remarks The caller has left three bytes per UTF-16 unit free at `offset`.
 */
export function encodeUtf8(text: string, target: Buffer, offset: number): number {
  if (text.length > SHORT_BYTES) return offset + target.write(text, offset, 'utf8');
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return offset + target.write(text, offset, 'utf8');
    target[offset + index] = unit;
  }
  return offset + text.length;
}

/**
 * Reads a UTF-8 Encoded String as MQTT understands it.
 *
 * @returns undefined when the bytes are not well-formed UTF-8, which includes surrogates and overlong forms
 * [MQTT-1.5.4-1], or hold U+0000 [MQTT-1.5.4-2]. A byte order mark is kept [MQTT-1.5.4-3].
 */
export function decodeUtf8(bytes: Buffer, start: number, end: number): string | undefined {
  let hash = 0;
  for (let offset = start; offset < end; offset += 1) {
    const byte = bytes[offset] ?? 0;
    if (byte === 0) return undefined;
    if (byte > 0x7f) {
      if (!isWellFormed(bytes, offset, end)) return undefined;
      const text = bytes.toString('utf8', start, end);
      return text.includes('\0') ? undefined : text;
    }
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  if (end - start > REMEMBERED_BYTES_MAX) return bytes.toString('latin1', start, end);
  const slot = (hash ^ (hash >>> 12)) & (REMEMBERED_TEXTS_MAX - 1);
  const known = remembered[slot] ?? '';
  if (known.length === end - start && isAt(bytes, start, known)) return known;
  const text = bytes.toString('latin1', start, end);
  remembered[slot] = text;
  return text;
}

/**
 * Whether the bytes are a text of ASCII that {@link decodeUtf8} would read.
 *
 * @remarks Four bytes at a time take less time than one by one.
 */
export function isAsciiText(bytes: Uint8Array, start: number, end: number): boolean {
  let seen = 0;
  let offset = start;
  for (; offset + 3 < end; offset += 4) {
    const a = bytes[offset] ?? 0;
    const b = bytes[offset + 1] ?? 0;
    const c = bytes[offset + 2] ?? 0;
    const d = bytes[offset + 3] ?? 0;
    seen |= a | (a - 1) | b | (b - 1) | c | (c - 1) | d | (d - 1);
  }
  for (; offset < end; offset += 1) {
    const byte = bytes[offset] ?? 0;
    seen |= byte | (byte - 1);
  }
  // U+0001 to U+007F leave the other bits alone.
  return (seen & ~0x7f) === 0;
}

/** Whether the bytes from `start` on are those of an ASCII text. */
function isAt(bytes: Buffer, start: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    if (text.charCodeAt(index) !== bytes[start + index]) return false;
  }
  return true;
}

/** Whether bytes are well-formed UTF-8; unlike in a UTF-8 Encoded String, U+0000 is allowed. */
export function isUtf8(bytes: Uint8Array): boolean {
  for (let offset = 0; offset < bytes.length; offset += 1) {
    if ((bytes[offset] ?? 0) > 0x7f) return isWellFormed(bytes, offset, bytes.length);
  }
  return true;
}

/** Table 3-7 of the Unicode standard. */
function isWellFormed(bytes: Uint8Array, start: number, end: number): boolean {
  let offset = start;
  while (offset < end) {
    const lead = bytes[offset] ?? 0;
    const size = sequenceBytes(lead);
    if (size === 0 || offset + size > end) return false;
    if (size > 1 && !isSecondByte(lead, bytes[offset + 1] ?? 0)) return false;
    for (let next = offset + 2; next < offset + size; next += 1) {
      if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return false;
    }
    offset += size;
  }
  return true;
}

/** How many bytes a character takes that starts with this one; 0 when none does. */
function sequenceBytes(lead: number): 0 | 1 | 2 | 3 | 4 {
  if (lead < 0x80) return 1;
  if (lead < 0xc2) return 0;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  return lead < 0xf5 ? 4 : 0;
}

/** The second byte is where overlong forms, surrogates and values beyond U+10FFFF show. */
function isSecondByte(lead: number, second: number): boolean {
  switch (lead) {
    case 0xe0:
      return second >= 0xa0 && second <= 0xbf;
    case 0xed:
      return second >= 0x80 && second <= 0x9f;
    case 0xf0:
      return second >= 0x90 && second <= 0xbf;
    case 0xf4:
      return second >= 0x80 && second <= 0x8f;
    default:
      return second >= 0x80 && second <= 0xbf;
  }
}
