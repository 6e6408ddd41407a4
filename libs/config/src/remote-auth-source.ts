import { isAbsolute, resolve, sep } from 'node:path';
import { authSource } from './auth-source.ts';
import type { Config } from './load.ts';

/** What is wrong with a source; the path is within its settings, and no value is repeated. */
export interface AuthSourceFault {
  readonly path: readonly string[];
  readonly problem: string;
}

/** One of those who are asked who a client is, with its settings. */
export type AuthSourceSettings = NonNullable<Config['auth']['chain']>[number];

/** What came of looking at a source that somebody wants to make through the API. */
export type RemoteAuthSource =
  | { readonly kind: 'sound'; readonly source: AuthSourceSettings }
  | { readonly kind: 'faulty'; readonly faults: readonly AuthSourceFault[] };

/** The settings that bound what such a source may name. */
export type RemoteAuthPolicy = Config['auth']['rest'];

/** Users are the file's, or have operations of their own. */
const KINDS: readonly string[] = ['jwt', 'certificate', 'webhook'];

/**
 * Checks a source that comes through the API as the configuration is checked, and adds its defaults.
 *
 * @remarks Whoever may make sources has a key of the API, but not the machine: files, variables and endpoints are those that the
 * configuration of the node lets it name.
 */
export function checkRemoteAuthSource(value: unknown, policy: RemoteAuthPolicy): RemoteAuthSource {
  const parsed = authSource.safeParse(value);
  if (!parsed.success) {
    const faults = parsed.error.issues.flatMap((issue): readonly AuthSourceFault[] => {
      const path = issue.path.map(String);
      if (issue.code !== 'unrecognized_keys') return [{ path, problem: issue.message }];
      return issue.keys.map((key) => ({ path: [...path, key], problem: 'is not a known key' }));
    });
    return { kind: 'faulty', faults };
  }
  const source = parsed.data;
  const faults = KINDS.includes(source.kind)
    ? faultsOf(source, policy)
    : [{ path: ['kind'], problem: `must be one of ${KINDS.join(', ')}: users are not made here` }];
  return faults.length === 0 ? { kind: 'sound', source } : { kind: 'faulty', faults };
}

function faultsOf(
  source: AuthSourceSettings,
  policy: RemoteAuthPolicy,
): readonly AuthSourceFault[] {
  if (source.kind === 'jwt') {
    const { secret, keyFile, jwksFile, jwksUrl } = source;
    return [
      ...fileFaults(['keyFile'], keyFile, policy),
      ...fileFaults(['jwksFile'], jwksFile, policy),
      ...secretFaults(['secret'], secret, policy),
      ...(jwksUrl === undefined ? [] : plainFaults(['jwksUrl'], jwksUrl, policy)),
      ...(jwksUrl === undefined ? [] : queryFaults(['jwksUrl'], jwksUrl)),
    ];
  }
  if (source.kind !== 'webhook') return [];
  const headers = Object.entries(source.headers).flatMap(([name, given]) =>
    typeof given === 'string'
      ? [{ path: ['headers', name], problem: 'must be { file: PATH } or { env: NAME }' }]
      : secretFaults(['headers', name], given, policy),
  );
  const isPrivate = source.allowPrivate && !policy.allowPrivate;
  const problem = 'needs auth.rest.allowPrivate on every node';
  return [
    ...queryFaults(['url'], source.url),
    ...fileFaults(['caFile'], source.caFile, policy),
    ...headers,
    ...(isPrivate ? [{ path: ['allowPrivate'], problem }] : []),
  ];
}

/** What is made here is shown to whoever may read it. */
function queryFaults(path: readonly string[], url: string): AuthSourceFault[] {
  if (!url.includes('?')) return [];
  return [{ path, problem: 'must have no query: put what is secret into a header, by reference' }];
}

function plainFaults(
  path: readonly string[],
  url: string,
  { allowPrivate }: RemoteAuthPolicy,
): AuthSourceFault[] {
  if (allowPrivate || URL.parse(url)?.protocol === 'https:') return [];
  return [{ path, problem: 'must be an https: URL' }];
}

function fileFaults(
  path: readonly string[],
  file: string | undefined,
  { secretsDir }: RemoteAuthPolicy,
): AuthSourceFault[] {
  if (file === undefined) return [];
  if (secretsDir === undefined) {
    const problem = 'names a file, and sources made here may name none: set auth.rest.secretsDir';
    return [{ path, problem }];
  }
  const isWithin = isAbsolute(file) && resolve(file).startsWith(resolve(secretsDir) + sep);
  if (isWithin && !file.includes('\0')) return [];
  return [{ path, problem: 'must be an absolute path of a file within auth.rest.secretsDir' }];
}

function secretFaults(
  path: readonly string[],
  secret: { readonly file: string } | { readonly env: string } | undefined,
  policy: RemoteAuthPolicy,
): AuthSourceFault[] {
  if (secret === undefined) return [];
  if ('file' in secret) return fileFaults([...path, 'file'], secret.file, policy);
  const { envPrefix } = policy;
  if (secret.env.startsWith(envPrefix)) return [];
  return [{ path: [...path, 'env'], problem: `must begin with ${envPrefix}` }];
}
