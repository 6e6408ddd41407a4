import type { BridgeStage } from '#libs/broker-ports';
import type { LetterFault, LetterMark, OutboundRecord } from './outbound-record.ts';
import type { SinkRecord } from './sink.ts';

/** Why a record became a dead letter. */
export interface LetterReason {
  readonly rule: string;
  /** Where it failed. */
  readonly stage: BridgeStage;
  readonly fault: LetterFault;
  /** In words. */
  readonly detail: string;
}

/** Where the dead letters of a rule go. */
export interface LetterPlace {
  readonly target: string;
  /** Undefined: each keeps the route of its record. */
  readonly route?: string | undefined;
}

/** Headers with this beginning are the bridge's own. */
export const OWN_HEADER = 'skein-';

const CUT_BYTES = 1_024;
const CUT_ROUTE_BYTES = 255;
const REASON = 'skein-error-reason';
const VALUE_BYTES = 'skein-value-bytes';
const KEPT_HEADER = /^(?:mqtt|skein)-/;
const FAULTS: ReadonlySet<unknown> = new Set<LetterFault>([
  ...(['too_large', 'where_error', 'value_error', 'template_error', 'invalid_topic'] as const),
  ...(['schema_error', 'not_authorized', 'unknown_topic', 'spool_damaged', 'other'] as const),
]);

/** The headers that say why a record is a dead letter, the same in both directions. */
export function reasonHeaders(reason: LetterReason): Record<string, string> {
  return {
    'skein-rule': reason.rule,
    'skein-error': reason.detail,
    'skein-error-stage': reason.stage,
    [REASON]: reason.fault,
  };
}

/** The dead letter of a record: key, value, headers and time of that, with the reason and where it should have gone. */
export function deadLetterOf(
  record: OutboundRecord,
  reason: LetterReason,
  place: LetterPlace,
): OutboundRecord {
  const { target, route } = record;
  const added: Record<string, string> = { ...reasonHeaders(reason), 'skein-target': target };
  if (route !== undefined) added['skein-route'] = route;
  const size = Object.values(added).reduce((sum, text) => sum + text.length, 0);
  return {
    ...record,
    target: place.target,
    route: place.route ?? route,
    lane: undefined,
    headers: { ...record.headers, ...added },
    bytes: record.bytes + size,
    letter: { fault: reason.fault, isCut: false },
  };
}

/**
 * What is left of a dead letter that was refused: the first 1,024 bytes of its key, its value and the headers of bridge and
 * message, and a header that says how long the value was.
 */
export function cutLetter(letter: OutboundRecord, mark: LetterMark): OutboundRecord {
  const headers: Record<string, string | Buffer> = { [VALUE_BYTES]: String(letter.value.length) };
  for (const [name, header] of Object.entries(letter.headers)) {
    if (!KEPT_HEADER.test(name) || Array.isArray(header)) continue;
    headers[name] = typeof header === 'string' ? cutText(header, CUT_BYTES) : cut(header);
  }
  return {
    ...letter,
    route: letter.route && cutText(letter.route, CUT_ROUTE_BYTES),
    key: cut(letter.key),
    value: cut(letter.value),
    headers,
    letter: { ...mark, isCut: true },
  };
}

/** The mark of a record that comes out of the spool; undefined for one that is no dead letter. */
export function letterMark({ headers }: SinkRecord): LetterMark | undefined {
  const fault = headers[REASON];
  if (fault === undefined) return undefined;
  return { fault: isFault(fault) ? fault : 'other', isCut: headers[VALUE_BYTES] !== undefined };
}

function isFault(text: unknown): text is LetterFault {
  return FAULTS.has(text);
}

function cut(bytes: Buffer): Buffer {
  return Buffer.from(bytes.subarray(0, CUT_BYTES));
}

function cutText(text: string, bytes: number): string {
  return text.length * 3 <= bytes ? text : Buffer.from(text).subarray(0, bytes).toString();
}
