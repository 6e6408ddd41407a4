import { z } from 'zod';
import { userRule } from './acl-rule.ts';

const text = (description: string, range: { readonly max: number; readonly expects: string }) => {
  const error = `must be ${range.expects} of 1 to ${range.max.toLocaleString('en')} characters`;
  return z
    .string({ error })
    .min(1, { error })
    .max(range.max, { error })
    .meta({ description, expects: range.expects });
};

const CREDENTIAL = /^SCRAM-SHA-(?:256|512)\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+$/;
const CREDENTIAL_FAULT = 'must be what `npm run scram` prints';

/** A user who may connect, as the file states it. */
export const user = z
  .strictObject(
    {
      name: text('User name; clients may type it in any Unicode form.', {
        max: 256,
        expects: 'a text',
      }),
      password: text('Password.', { max: 1_024, expects: 'a text' })
        .exactOptional()
        .meta({ description: 'Password.', expects: 'a text', secret: true }),
      passwordFile: text('', { max: 4_096, expects: 'a file path' }).exactOptional().meta({
        description: 'File with the password in its first line, read at the start.',
        expects: 'a file path',
      }),
      scram: z
        .array(
          z.string({ error: CREDENTIAL_FAULT }).regex(CREDENTIAL, { error: CREDENTIAL_FAULT }),
          {
            error: 'must be a list of SCRAM credentials',
          },
        )
        .min(1, { error: 'must be a list of SCRAM credentials' })
        .max(2, { error: 'must hold one credential for a mechanism' })
        .exactOptional()
        .meta({
          description:
            'Credentials instead of a password, in the form of PostgreSQL; `npm run scram` makes them. Give all users the same mechanisms and iterations, or they can be told apart.',
          expects: 'one for SCRAM-SHA-256, one for SCRAM-SHA-512, or both',
          secret: true,
        }),
      groups: z
        .array(text('', { max: 256, expects: 'a text' }), { error: 'must be a list of texts' })
        .exactOptional()
        .meta({ description: 'Groups that rules may name.', expects: 'a list of texts' }),
      acl: z.array(userRule, { error: 'must be a list of rules' }).max(1_000).exactOptional().meta({
        description: 'Rules of the user: they come before those of `acl.rules`, and have no `who`.',
        expects: 'a list of rules',
      }),
    },
    { error: 'must be a map with name and password, passwordFile or scram' },
  )
  .refine(
    ({ password, passwordFile, scram }) =>
      [password, passwordFile, scram].filter((way) => way !== undefined).length === 1,
    { error: 'must have one of password, passwordFile and scram' },
  );
