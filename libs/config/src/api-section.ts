import { z } from 'zod';
import { isKeysUrl, PUBLIC_ALGORITHMS } from './auth-source.ts';
import type { ConfigFault } from './config-error.ts';
import { file, flag, host, milliseconds, port, section, whole } from './kinds.ts';
import { isNetwork } from './network.ts';

const NETWORK_FAULT = 'must be an IP address or a network such as 10.0.0.0/8';

const text = (description: string) =>
  z
    .string()
    .min(1)
    .max(1_024)
    .exactOptional()
    .meta({ description, expects: 'a text of 1 to 1,024 characters' });

const claim = (description: string) =>
  z
    .string()
    .regex(/^[^\0]{1,256}$/u)
    .meta({ description, expects: 'the name of a claim, or names with dots between them' });

/** Tokens of an issuer (OpenID Connect) as credentials of the admin API. */
const jwt = section({
  issuer: text(
    'Issuer whose tokens (JWT) the admin API takes, as `iss` has it. Absent: it takes none.',
  ),
  audience: text('What `aud` of a token has to be or to hold; required with an issuer.'),
  jwksUrl: z.string().refine(isKeysUrl).exactOptional().meta({
    description:
      'JSON Web Key Set of the issuer. The default is what its `/.well-known/openid-configuration` names. Redirects are not followed.',
    expects: 'an https: URL, or an http: URL of the machine itself',
  }),
  jwksFile: file('JSON Web Key Set in a file, instead of `api.jwt.jwksUrl`.'),
  algorithms: z
    .array(z.enum(PUBLIC_ALGORITHMS))
    .min(1)
    .max(16)
    .exactOptional()
    .meta({
      description: 'Algorithms that tokens may be signed with. Absent: all of public keys.',
      expects: `a list of ${PUBLIC_ALGORITHMS.join(', ')}`,
    }),
  leewaySeconds: whole('How far the clock of the issuer may be off, for `exp` and `nbf`.', {
    default: 30,
    min: 0,
    max: 60,
    unit: 's',
  }),
  groupsClaim: claim(
    'Claim with a group or a list of groups, to which role bindings give roles.',
  ).default('groups'),
  roleClaim: claim(
    'Claim with a role or a list of roles. Absent: tokens name no roles.',
  ).exactOptional(),
  roleMapping: z
    .array(z.string().regex(/^.+=[a-z][a-z0-9_-]{0,63}$/u))
    .max(100)
    .default([])
    .meta({
      description:
        'What values of `api.jwt.roleClaim` stand for which role, each as VALUE=ROLE; other values count for nothing. Empty: values are ids of roles.',
      expects: 'a list of VALUE=ROLE',
    }),
  refreshMs: milliseconds('How old a key set may become before it is read again.', {
    default: 300_000,
    min: 1_000,
    max: 86_400_000,
  }),
  timeoutMs: milliseconds('How long reading a key set may take.', {
    default: 1_500,
    min: 100,
    max: 60_000,
  }),
});

const rate = (description: string, value: number) =>
  whole(`${description} 0: no limit.`, {
    default: value,
    min: 0,
    max: 1_000_000,
    unit: 'requests/s',
  });

const burst = (description: string, value: number) =>
  whole(description, { default: value, min: 1, max: 10_000_000, unit: 'requests' });

/** How much each caller of the admin API may ask for, all replicas together. */
const rateLimits = section({
  requestsPerSecond: rate('Requests a second that each caller may send for long.', 500),
  requestBurst: burst('Requests that each caller may send at once after a rest.', 1_000),
  publishesPerSecond: rate(
    'Messages a second that each caller may publish for long, one by one or in bulk; they are counted apart from other requests.',
    2_000,
  ),
  publishBurst: burst(
    'Messages that each caller may publish at once after a rest; a larger bulk request leaves a debt.',
    4_000,
  ),
  failuresPerSecond: rate(
    'Credentials that are refused, a second and address (of IPv6: a /64); beyond, 429 takes the place of 401 and 403.',
    5,
  ),
  failureBurst: burst('Credentials that are refused, at once after a rest.', 50),
});

/** Who changed what through the admin API. */
const audit = section({
  recordsMax: whole('Most records that are kept; the oldest go.', {
    default: 100_000,
    min: 100,
    max: 10_000_000,
    unit: 'records',
  }),
  days: whole('For how long a record is kept.', { default: 90, min: 1, max: 3_650, unit: 'days' }),
  log: flag('Whether each record is a line of the log besides (`audit`).', false),
  required: flag(
    'Whether a change is refused (503) while the audit log cannot be written, before anything is done.',
    false,
  ),
});

/** Who is told by HTTP of what happens. */
const webhooks = section({
  allowPrivate: flag(
    'Whether webhooks may be at the machine itself, on its link or in a private network, and without TLS.',
    false,
  ),
});

/** Traces of clients, topics and addresses. */
const traces = section({
  runningMax: whole('Most traces that run at once.', {
    default: 10,
    min: 1,
    max: 100,
    unit: 'traces',
  }),
  keptMax: whole(
    'Most traces that are over and kept; the one that was made first goes with its content.',
    { default: 10, min: 1, max: 100, unit: 'traces' },
  ),
  keptSeconds: whole('For how long a trace is kept that is over.', {
    default: 86_400,
    min: 60,
    max: 2_592_000,
    unit: 's',
  }),
  bytesMax: whole('Memory that a trace may take at each node; the oldest records go.', {
    default: 4_194_304,
    min: 65_536,
    max: 268_435_456,
    unit: 'bytes',
  }),
  recordsPerSecond: whole(
    'Records a second that each trace takes at each node; the others are only counted.',
    { default: 1_000, min: 1, max: 100_000, unit: 'records/s' },
  ),
});

/** The settings of the admin API. */
export const api = section({
  host: host(
    'Address of the admin API. On loopback it is open to its machine until there is a key; anywhere else it makes a first key and prints it, if there is none.',
  ),
  port: port('Port of the admin API.', 8080),
  key: z
    .string()
    .regex(/^[\x21-\x7e]{16,512}$/)
    .exactOptional()
    .meta({
      description: 'Key with which callers of the admin API may do everything: a bearer token.',
      expects: '16 to 512 visible ASCII characters without spaces',
      secret: true,
    }),
  keyFile: file('File with that key in its first line, read at the start, instead of `api.key`.'),
  jwt,
  rateLimits,
  audit,
  webhooks,
  traces,
  trustedProxies: z
    .array(z.string().refine(isNetwork, { error: NETWORK_FAULT }))
    .max(64)
    .default([])
    .meta({
      description:
        'Addresses of the proxies before the admin API, whose `X-Forwarded-For` says where callers are. Of anybody else it counts for nothing.',
      expects: 'a list of IP addresses and networks',
    }),
  opsPort: port('Port of `/metrics` and `/healthz/*` of the API process, on `ops.host`.', 9465),
  nodeTimeoutMs: milliseconds(
    'How long an operation of the API may wait for nodes; those that have not answered by then are unavailable. The default leaves the rest of two seconds for the way of the answer.',
    { default: 1_500, min: 100, max: 60_000 },
  ),
});

/** Finds what is wrong between the settings of the admin API. */
export function apiFaults({ jwt: { issuer, audience, jwksUrl, jwksFile } }: z.output<typeof api>) {
  const faults: ConfigFault[] = [];
  if (issuer === undefined) {
    if (jwksUrl !== undefined || jwksFile !== undefined || audience !== undefined) {
      const problem = 'is required by the other settings of tokens';
      faults.push({ field: 'api.jwt.issuer', problem, fix: 'set it, or remove them' });
    }
    return faults;
  }
  if (audience === undefined) {
    const problem = 'is required: a token that the issuer made for somebody else must not count';
    faults.push({ field: 'api.jwt.audience', problem, fix: 'set it' });
  }
  if (jwksUrl !== undefined && jwksFile !== undefined) {
    const problem = 'is given beside api.jwt.jwksUrl';
    faults.push({ field: 'api.jwt.jwksFile', problem, fix: 'remove one of them' });
  }
  if (jwksUrl === undefined && jwksFile === undefined && !isKeysUrl(issuer)) {
    const problem = 'is no https: URL, so that nothing says where its keys are';
    faults.push({ field: 'api.jwt.issuer', problem, fix: 'set api.jwt.jwksUrl or jwksFile' });
  }
  return faults;
}
