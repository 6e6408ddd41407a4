import { z } from 'zod';
import { authSource } from './auth-source.ts';
import { file, flag, section, whole } from './kinds.ts';
import { user } from './user.ts';

/** Placeholders and other text, and perhaps a `*` at its end. */
const CLIENT_ID = /^(?=.)(?:\$\{(?:username|cert\.cn)\}|(?!\$\{)[^*])*\*?$/su;

/** What sources that are made through the admin API may name. */
const rest = section({
  secretsDir: z.string().min(1).max(4096).exactOptional().meta({
    description:
      'Directory of the files that sources made through the admin API may name. Without it they may name none. Sources of this file may name any.',
    expects: 'a directory path',
  }),
  envPrefix: z
    .string()
    .regex(/^(?!SKEIN_)[A-Za-z_][A-Za-z0-9_]{0,63}$/)
    .default('AUTH_SECRET_')
    .meta({
      description:
        'What the environment variables begin with that sources made through the admin API may name.',
      expects: '1 to 64 letters, digits and underscores that begin no variable of Skein',
    }),
  allowPrivate: flag(
    'Whether sources made through the admin API may lead to the machine itself, its link or a private network, and without TLS.',
    false,
  ),
});

/** Who may connect. */
export const auth = section({
  chain: z.array(authSource).max(16).exactOptional().meta({
    description:
      'Who is asked, in this order, who a client is; the first that knows it decides. The default is the users of `auth.users`, if there are any. See docs/auth.md.',
    expects: 'a list of sources',
  }),
  rest,
  anonymous: flag(
    'Whether clients may connect that show neither name nor password. Without sources everybody may then; a node without sources and without this starts only as a demo: alone, and on loopback.',
    false,
  ),
  clientIds: z.array(z.string().max(1_024).regex(CLIENT_ID)).max(16).default([]).meta({
    description:
      'Client ids that a client may have, where `${username}` and `${cert.cn}` stand for what it has proven, and a `*` at the end for anything. Without them a client may have any that is free or its user’s. See docs/auth.md.',
    expects: 'a list of texts that may hold ${username} and ${cert.cn}, and end with *',
  }),
  users: z.array(user).max(1_000).default([]).meta({
    description: 'Users who may connect. See docs/auth.md.',
    expects: 'a list of users',
    secret: true,
  }),
  iterations: whole(
    'PBKDF2 iterations of the credentials made from passwords: a client with SCRAM and each new login with a password cost as many.',
    { default: 15_000, min: 4_096, max: 1_000_000, unit: 'iterations' },
  ),
  hashCost: whole(
    'What a hash of a stored user’s password costs: 2 to the power of it blocks of 1 KiB; 14 takes 16 MiB and some 40 ms, and each one more twice that.',
    { default: 14, min: 10, max: 18, unit: 'powers of 2' },
  ),
  saltSecret: z
    .string()
    .regex(/^[\x21-\x7e]{16,512}$/)
    .exactOptional()
    .meta({
      description:
        'Makes the salts, also of users who do not exist; the same on all nodes. Required by users with `scram` and by `kind: stored`. The default is made at each start.',
      expects: '16 to 512 visible ASCII characters without spaces',
      secret: true,
    }),
  saltSecretFile: file('File with it in its first line, read at the start.'),
});
