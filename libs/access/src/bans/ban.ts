import { AddressRange } from '../acl/address-range.ts';
import { saslprep } from '../saslprep.ts';

/** What a ban is on: a client id, those that a pattern is found in, a user, or an address or network. */
export const BAN_KINDS = ['client_id', 'client_id_regex', 'username', 'address'] as const;

/** What a ban is on. */
export type BanKind = (typeof BAN_KINDS)[number];

/** What is to be banned. */
export interface BanSubject {
  readonly kind: BanKind;
  readonly value: string;
}

/** Somebody who may not connect. */
export interface Ban extends BanSubject {
  /** Made of kind and value: there is one ban on somebody. */
  readonly id: string;
  readonly reason: string;
  /** Who has made it. */
  readonly by: 'admin' | 'flapping';
  readonly createdAtMs: number;
  /** When it ends; absent for never. */
  readonly untilMs?: number;
}

/** Characters of a reason. */
export const BAN_REASON_MAX = 256;

/**
 * A subject as bans name it: user names are prepared, addresses and networks written in one way.
 *
 * @returns undefined for what nobody can have. Whether a pattern is one is not looked at.
 */
export function banSubject({ kind, value }: BanSubject): BanSubject | undefined {
  switch (kind) {
    case 'client_id':
    case 'client_id_regex':
      return value === '' ? undefined : { kind, value };
    case 'username': {
      const prepared = saslprep(value);
      return prepared.kind === 'prepared' && prepared.text !== ''
        ? { kind, value: prepared.text }
        : undefined;
    }
    case 'address': {
      const range = AddressRange.parse(value);
      return range && { kind, value: range.text };
    }
  }
}

/** The id of the ban on a subject, as {@link banSubject} gives it. */
export function banIdOf({ kind, value }: BanSubject): string {
  return `${kind}:${value}`;
}

/** The subject that the id of a ban names; undefined when it is no id that a ban can have. */
export function subjectOfBanId(id: string): BanSubject | undefined {
  const kind = BAN_KINDS.find((each) => id.startsWith(`${each}:`));
  if (kind === undefined) return undefined;
  const subject = banSubject({ kind, value: id.slice(kind.length + 1) });
  return subject !== undefined && banIdOf(subject) === id ? subject : undefined;
}
