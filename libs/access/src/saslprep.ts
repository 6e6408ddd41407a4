/** A user name or password in its prepared form, or what keeps it from having one. */
export type Prepared =
  | { readonly kind: 'prepared'; readonly text: string }
  | { readonly kind: 'refused'; readonly fault: string };

/** Tables of RFC 3454: C.1.2, and B.1 without what is in C.1.2 as well. */
const NON_ASCII_SPACE = /[\u00A0\u1680\u2000-\u200B\u202F\u205F\u3000]/gu;
// The variation selectors combine with what stands before them, so they are alternatives instead of a class.
const MAPPED_TO_NOTHING =
  /\u00AD|\u034F|\u1806|[\u180B-\u180D]|\u200C|\u200D|\u2060|[\uFE00-\uFE0F]|\uFEFF/gu;

/**
 * Tables C.2 to C.9 of RFC 3454; C.1.2 cannot be met after the mapping. `Cn` holds the non-characters, and what is
 * unassigned in the Unicode of this runtime instead of Unicode 3.2: newer characters are allowed.
 */
const PROHIBITED =
  /[\p{Cc}\p{Cn}\p{Co}\p{Cs}\u0340\u0341\u06DD\u070F\u180E\u200E\u200F\u2028-\u202E\u2061-\u2063\u206A-\u206F\u2FF0-\u2FFB\uFFF9-\uFFFD\u{1D173}-\u{1D17A}\u{E0001}\u{E0020}-\u{E007F}]/u;

/** Table D.1 of RFC 3454: written from right to left. */
const RIGHT_TO_LEFT =
  '\\u05BE\\u05C0\\u05C3\\u05D0-\\u05EA\\u05F0-\\u05F4\\u061B\\u061F\\u0621-\\u063A\\u0640-\\u064A\\u066D-\\u066F\\u0671-\\u06D5' +
  '\\u06DD\\u06E5\\u06E6\\u06FA-\\u06FE\\u0700-\\u070D\\u0710\\u0712-\\u072C\\u0780-\\u07A5\\u07B1\\u200F\\uFB1D\\uFB1F-\\uFB28' +
  '\\uFB2A-\\uFB36\\uFB38-\\uFB3C\\uFB3E\\uFB40\\uFB41\\uFB43\\uFB44\\uFB46-\\uFBB1\\uFBD3-\\uFD3D\\uFD50-\\uFD8F\\uFD92-\\uFDC7' +
  '\\uFDF0-\\uFDFC\\uFE70-\\uFE74\\uFE76-\\uFEFC';
const HAS_RIGHT_TO_LEFT = new RegExp(`[${RIGHT_TO_LEFT}]`, 'u');
const FRAMED_RIGHT_TO_LEFT = new RegExp(`^[${RIGHT_TO_LEFT}](?:.*[${RIGHT_TO_LEFT}])?$`, 'su');
/** Letters of the other direction: table D.2 by what its characters are, for letters of any age. */
const LEFT_TO_RIGHT = new RegExp(`(?![${RIGHT_TO_LEFT}])[\\p{L}\\p{Mc}\\p{Nl}]`, 'u');

/**
 * Prepares a user name or a password for comparison (SASLprep, RFC 4013): however it was typed, it is the same text.
 *
 * @remarks Nearly always the text itself. The fault names a kind of character, never the text, which may be a secret.
 */
export function saslprep(text: string): Prepared {
  const prepared = text
    .replaceAll(NON_ASCII_SPACE, ' ')
    .replaceAll(MAPPED_TO_NOTHING, '')
    .normalize('NFKC');
  if (PROHIBITED.test(prepared)) {
    return refused('holds a control, private or unassigned character');
  }
  if (HAS_RIGHT_TO_LEFT.test(prepared)) {
    if (LEFT_TO_RIGHT.test(prepared)) return refused('mixes letters of both writing directions');
    if (!FRAMED_RIGHT_TO_LEFT.test(prepared)) {
      return refused('is written from right to left but does not begin and end with such a letter');
    }
  }
  return { kind: 'prepared', text: prepared };
}

function refused(fault: string): Prepared {
  return { kind: 'refused', fault };
}
