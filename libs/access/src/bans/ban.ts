import { AddressRange } from '../acl/address-range.ts';
import { saslprep } from '../saslprep.ts';

/** What a ban is on: a client id, a user, or an address or network. */
export type BanKind = 'client_id' | 'username' | 'address';

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
 * @returns undefined for what nobody can have.
 */
export function banSubject({ kind, value }: BanSubject): BanSubject | undefined {
  switch (kind) {
    case 'client_id':
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
