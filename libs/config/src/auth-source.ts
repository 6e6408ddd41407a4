import { z } from 'zod';
import { file, flag, milliseconds, whole } from './kinds.ts';
import { requestHeaders } from './request-headers.ts';
import { secretReference } from './secret-reference.ts';

const KINDS = ['users', 'stored', 'jwt', 'certificate', 'webhook'] as const;
const KIND_FAULT = `must have the kind ${KINDS.join(', ')}`;
const CLAIM_FAULT = 'must be the name of a claim';
const KEY_FAULT = 'must have one of secret, keyFile, jwksFile and jwksUrl';
const HOOK_FAULT = 'must be an https: or http: URL without user, password and fragment';
const URL_FAULT = 'must be an https: URL, or an http: URL of the machine itself';

/** Algorithms of keys of which only one half is told. @internal */
export const PUBLIC_ALGORITHMS = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'] as const),
] as const;

const ALGORITHMS = [...(['HS256', 'HS384', 'HS512'] as const), ...PUBLIC_ALGORITHMS] as const;

const kind = <const Kind extends (typeof KINDS)[number]>(name: Kind) =>
  z
    .literal(name, { error: KIND_FAULT })
    .meta({ description: 'Who is asked.', expects: `one of ${KINDS.join(', ')}` });

const text = (description: string) =>
  z
    .string({ error: 'must be a text of 1 to 1,024 characters' })
    .min(1, { error: 'must be a text of 1 to 1,024 characters' })
    .max(1_024, { error: 'must be a text of 1 to 1,024 characters' })
    .meta({ description, expects: 'a text of 1 to 1,024 characters' });

const claim = (description: string) =>
  z
    .string({ error: CLAIM_FAULT })
    .regex(/^[^\0]{1,256}$/u, { error: CLAIM_FAULT })
    .meta({ description, expects: 'the name of a claim, or names with dots between them' });

/** The users of the configuration. */
export const usersSource = z.strictObject({ kind: kind('users') });

/** The users of the store. */
export const storedSource = z.strictObject({
  kind: kind('stored'),
  cacheBytes: whole('What the users that a node keeps may take, about: some 4,000 bytes each.', {
    default: 16_777_216,
    min: 65_536,
    max: 1_073_741_824,
    unit: 'bytes',
  }),
});

/** JSON Web Tokens. */
export const jwtSource = z
  .strictObject({
    kind: kind('jwt'),
    secret: secretReference.exactOptional().meta({
      description: 'Secret of HS256, HS384 and HS512, of at least 32 bytes.',
      expects: '{ file: PATH } or { env: NAME }',
    }),
    keyFile: file('Public key or certificate in PEM: RSA, EC (P-256, P-384, P-521) or Ed25519.'),
    jwksFile: file('JSON Web Key Set in a file; it is read again when it is older than refreshMs.'),
    jwksUrl: z
      .string({ error: URL_FAULT })
      .refine(isKeysUrl, { error: URL_FAULT })
      .exactOptional()
      .meta({
        description: 'JSON Web Key Set of a server. Redirects are not followed.',
        expects: 'an https: URL',
      }),
    algorithms: z
      .array(z.enum(ALGORITHMS, { error: `must be one of ${ALGORITHMS.join(', ')}` }), {
        error: 'must be a list of algorithms',
      })
      .min(1, { error: 'must not be empty: leave it out for all that the key is for' })
      .exactOptional()
      .meta({
        description: 'Algorithms that tokens may be signed with. Absent: all that the key is for.',
        expects: `a list of ${ALGORITHMS.join(', ')}`,
      }),
    issuer: text(
      'What `iss` has to be; a token of another issuer is left to the next source.',
    ).exactOptional(),
    audience: text('What `aud` has to be or to hold.').exactOptional(),
    leewaySeconds: whole('How far the clocks of issuers may be off, for `exp` and `nbf`.', {
      default: 30,
      min: 0,
      max: 600,
      unit: 's',
    }),
    userClaim: claim('Claim with the user name.').default('sub'),
    clientIdClaim: claim(
      'Claim with the client id that the token is for; required in every token then.',
    ).exactOptional(),
    groupsClaim: claim('Claim with a group or a list of groups.').default('groups'),
    aclClaim: claim(
      'Claim with rules, as `auth.users[].acl` has them; they come before those of `acl.rules`.',
    ).default('acl'),
    refreshMs: milliseconds('How old a key set may become before it is read again.', {
      default: 300_000,
      min: 1_000,
      max: 86_400_000,
    }),
    timeoutMs: milliseconds('How long reading a key set may take.', {
      default: 5_000,
      min: 100,
      max: 60_000,
    }),
  })
  .refine(
    ({ secret, keyFile, jwksFile, jwksUrl }) =>
      [secret, keyFile, jwksFile, jwksUrl].filter((key) => key !== undefined).length === 1,
    { error: KEY_FAULT },
  );

/** Certificates of the TLS handshake. */
export const certificateSource = z.strictObject({
  kind: kind('certificate'),
  name: z
    .enum(['commonName', 'dns', 'uri', 'email'], {
      error: 'must be one of commonName, dns, uri, email',
    })
    .default('commonName')
    .meta({
      description:
        'Which name is the user name: the common name of the subject, or the only alternative name of a kind.',
    }),
});

/** An HTTP endpoint. */
export const webhookSource = z.strictObject({
  kind: kind('webhook'),
  url: z.string({ error: HOOK_FAULT }).refine(isHookUrl, { error: HOOK_FAULT }).meta({
    description: 'What is asked, by POST. Redirects are not followed.',
    expects: 'an https: URL; http: with allowPrivate',
  }),
  headers: requestHeaders,
  allowPrivate: flag(
    'Whether the endpoint may be at the machine itself, on its link or in a private network, and without TLS.',
    false,
  ),
  caFile: file('Certificates of authorities to trust instead of the usual ones, in PEM.'),
  timeoutMs: milliseconds('How long an answer may take.', {
    default: 3_000,
    min: 100,
    max: 60_000,
  }),
  cacheMs: milliseconds('How long an answer is remembered; 0 asks for each login.', {
    default: 60_000,
    min: 0,
    max: 86_400_000,
  }),
  concurrency: whole(
    'Questions under way at a time, of one address not more than are free; clients beyond are told to try again.',
    { default: 64, min: 1, max: 1_024, unit: 'requests' },
  ),
  failuresMax: whole('Failures in a row that begin a rest, in which nobody is asked.', {
    default: 5,
    min: 1,
    max: 1_000,
    unit: 'requests',
  }),
  restMs: milliseconds('How long that lasts before one question shows how it is.', {
    default: 10_000,
    min: 100,
    max: 600_000,
  }),
});

/** One of those who are asked who a client is, as the file states it. */
export const authSource = z.discriminatedUnion(
  'kind',
  [usersSource, storedSource, jwtSource, certificateSource, webhookSource],
  { error: KIND_FAULT },
);

/** Whether a key set may be read there. @internal */
export function isKeysUrl(url: string): boolean {
  const { protocol, hostname, username } = URL.parse(url) ?? {};
  const isLocal = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname ?? '');
  return username === '' && (protocol === 'https:' || (protocol === 'http:' && isLocal));
}

function isHookUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return false;
  return url.protocol === 'https:' || url.protocol === 'http:';
}
