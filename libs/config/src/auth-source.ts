import { z } from 'zod';

const KINDS = ['users'] as const;
const KIND_FAULT = `must have the kind ${KINDS.join(', ')}`;

const kind = <const Kind extends (typeof KINDS)[number]>(name: Kind) =>
  z
    .literal(name, { error: KIND_FAULT })
    .meta({ description: 'Who is asked.', expects: `one of ${KINDS.join(', ')}` });

/** The users of the configuration. */
export const usersSource = z.strictObject({ kind: kind('users') });

/** One of those who are asked who a client is, as the file states it. */
export const authSource = z.discriminatedUnion('kind', [usersSource], { error: KIND_FAULT });
