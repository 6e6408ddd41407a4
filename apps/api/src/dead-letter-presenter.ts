import { isUtf8 } from 'node:buffer';
import type { DeadLetterView, WireDeadLetter } from '#libs/api-contracts';

/** A dead letter as the API shows it. */
export function presentDeadLetter(
  letter: WireDeadLetter,
  form: 'none' | 'base64' | 'text',
): DeadLetterView {
  const { id, bridge, rule, stage, reason, error } = letter;
  return {
    ...{ id, bridge, rule, stage, reason, error },
    at: new Date(letter.atMs).toISOString(),
    target: letter.target ?? null,
    record_at: new Date(letter.recordAtMs).toISOString(),
    value_bytes: letter.valueBytes,
    is_cut: letter.isCut,
    ...(form !== 'none' && contentOf(letter, form)),
  };
}

function contentOf({ key, value, headers }: WireDeadLetter, form: 'base64' | 'text') {
  const bytes = Buffer.from(value, 'base64');
  const isText = form === 'text' && isUtf8(bytes);
  return {
    key,
    value: isText ? bytes.toString() : value,
    value_encoding: isText ? ('plain' as const) : ('base64' as const),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, header]) => [name, textsOf(header)]),
    ),
  };
}

function textsOf(header: WireDeadLetter['headers'][string]): string[] {
  if (typeof header === 'string') return [header];
  return 'base64' in header ? [header.base64] : [...header];
}
