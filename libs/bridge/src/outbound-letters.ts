import type { SpoolEntry } from '#libs/broker-ports';
import {
  cutLetter,
  deadLetterOf,
  reasonHeaders,
  type LetterPlace,
  type LetterReason,
} from './dead-letter.ts';
import type { LetterFault, OutboundRecord } from './outbound-record.ts';
import { RECORD_OVERHEAD_BYTES } from './record-maker.ts';
import { stageOf } from './stage.ts';

/** Why a record is refused for good, in a word and in words. */
export type Refusal = Pick<LetterReason, 'fault' | 'detail'>;

/**
 * Makes the dead letters of a rule from MQTT. They go the way of every record: by the spool if the rule has one, and by lanes.
 *
 * @remarks A letter that is refused is cut and tried once more. Then there is no other: what cannot be stored for people to look
 * at is given up.
 */
export class OutboundLetters {
  readonly place: LetterPlace;
  readonly #rule: string;

  constructor(rule: string, place: LetterPlace) {
    this.#rule = rule;
    this.place = place;
  }

  /** The letter of a record that nothing has been done with yet. */
  of(record: OutboundRecord, refusal: Refusal): OutboundRecord {
    return deadLetterOf(record, this.#reason(refusal), this.place);
  }

  /** What takes the place of a record that its target refused; undefined when nothing is left to be tried. */
  after(record: OutboundRecord, refusal: Refusal): OutboundRecord | undefined {
    const { letter: mark } = record;
    if (mark === undefined) {
      const made = deadLetterOf(record, this.#reason(refusal), this.place);
      return { ...made, letter: { fault: refusal.fault, isCut: false, origin: record } };
    }
    const mayFit = refusal.fault === 'too_large' || refusal.fault === 'other';
    if (mark.isCut || !mayFit) return undefined;
    return cutLetter(record, { ...mark, origin: mark.origin ?? record });
  }

  /** The letter of what is no record any more: its bytes as they are. */
  ofDamaged({ sequence, bytes, atMs }: SpoolEntry): OutboundRecord {
    const fault: LetterFault = 'spool_damaged';
    const detail = `record ${String(sequence)} of the spool cannot be read`;
    return {
      ...this.place,
      key: Buffer.alloc(0),
      value: Buffer.from(bytes),
      headers: reasonHeaders(this.#reason({ fault, detail })),
      timestampMs: atMs,
      bytes: RECORD_OVERHEAD_BYTES + bytes.length,
      gate: undefined,
      publisher: '',
      sequence,
      place: 0,
      isDone: false,
      letter: { fault, isCut: false },
    };
  }

  #reason({ fault, detail }: Refusal): LetterReason {
    return { rule: this.#rule, stage: stageOf(fault, 'produce'), fault, detail };
  }
}
