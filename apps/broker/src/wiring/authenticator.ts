import { randomBytes } from 'node:crypto';
import {
  AUTH_DOCUMENT_ID,
  AuthChain,
  PasswordCheck,
  UserSource,
  hashCostOf,
  type AuthSource,
} from '#libs/access';
import {
  CertificateSource,
  ConfiguredUsers,
  NodeScramCrypto,
  StoredUsers,
  openJwtSource,
  openWebhookSource,
  type SourceFault,
} from '#libs/access-sources';
import type { Log } from '#libs/broker-ports';
import {
  ConfigError,
  SecretError,
  authChain,
  enabledListeners,
  opennessFault,
  parseUserRules,
  readSecret,
  type Config,
} from '#libs/config';
import { AuthSources, type NamedSource } from '../auth-sources.ts';
import { partOf } from '../settings/settings-store.ts';
import type { Stores } from './stores.ts';

type SourceSettings = NonNullable<Config['auth']['chain']>[number];
type JwtSettings = Extract<SourceSettings, { kind: 'jwt' }>;
type WebhookSettings = Extract<SourceSettings, { kind: 'webhook' }>;
/** A source, or what is wrong with it; `field` is relative to its item of the chain. */
type Opened = AuthSource | { readonly faults: readonly SourceFault[] };

/** What of a node asks who clients are. */
export interface AuthenticatorParts {
  readonly config: Config;
  readonly log: Log;
  readonly users: StoredUsers | undefined;
  readonly stores: Pick<Stores, 'settings'>;
}

/**
 * Asks the sources of the configuration, and those that are made over REST.
 *
 * @throws ConfigError when it would let in everybody without having been told to, or naming everything that is wrong with users, keys and secrets.
 */
export async function openAuthenticator({
  config,
  log,
  users: stored,
  stores,
}: AuthenticatorParts): Promise<AuthSources> {
  const openness = opennessFault(config);
  if (openness !== undefined) throw new ConfigError([openness]);
  const { auth } = config;
  const chain = authChain(config);
  const saltSecret = auth.saltSecret ?? randomBytes(32).toString('base64');
  const passwords = passwordCheckOf({ ...auth, saltSecret }, stored);
  const users = await configuredUsers(auth, saltSecret);
  const configured: NamedSource[] = [];
  for (const [index, settings] of chain.entries()) {
    const source = await openSource(settings, { users, stored, passwords, log });
    if ('faults' in source) {
      const path = `auth.chain[${String(index)}].`;
      throw new ConfigError(source.faults.map((each) => ({ ...each, field: path + each.field })));
    }
    configured.push({ id: idOf(chain, index), settings, source });
  }
  return new AuthSources({
    configured,
    // Some may be made, changed and removed while the node runs.
    get listeners() {
      return enabledListeners(config).map(({ name, tls }) => ({
        name,
        takesCertificates: tls !== undefined && tls.clientCertificate !== 'none',
      }));
    },
    anonymous: auth.anonymous,
    policy: auth.rest,
    store: partOf(stores.settings, (document) => document.id === AUTH_DOCUMENT_ID),
    chainOf: (sources) => new AuthChain({ sources, passwords, anonymous: auth.anonymous }),
    open: (settings) => openMade(settings, auth.rest, log),
    log,
  });
}

interface SourceParts {
  readonly users: ConfiguredUsers;
  readonly stored: StoredUsers | undefined;
  readonly passwords: PasswordCheck;
  readonly log: Log;
}

async function openSource(
  settings: SourceSettings,
  { users, stored, passwords, log }: SourceParts,
): Promise<Opened> {
  switch (settings.kind) {
    case 'users':
      return new UserSource(users, passwords);
    case 'stored':
      return stored === undefined ? { faults: [] } : new UserSource(stored, passwords);
    case 'jwt':
      return await openTokens(settings, log);
    case 'certificate':
      return new CertificateSource(settings.name);
    case 'webhook':
      return openWebhook(settings);
  }
}

/** One that was made over REST; users are not made there. */
async function openMade(
  settings: SourceSettings,
  { allowPrivate }: Config['auth']['rest'],
  log: Log,
): Promise<Opened> {
  switch (settings.kind) {
    case 'jwt':
      return await openTokens({ ...settings, isPublicOnly: !allowPrivate }, log);
    case 'certificate':
      return new CertificateSource(settings.name);
    case 'webhook':
      return openWebhook({ ...settings, allowPrivate: settings.allowPrivate && allowPrivate });
    case 'users':
    case 'stored':
      return { faults: [{ field: 'kind', problem: 'is none that is made here', fix: '' }] };
  }
}

async function configuredUsers(
  { users, iterations }: Config['auth'],
  saltSecret: string,
): Promise<ConfiguredUsers> {
  const opened = await ConfiguredUsers.open(users, { iterations, saltSecret });
  if (opened.kind === 'opened') return opened.users;
  throw new ConfigError(
    opened.faults.map((fault) => ({ ...fault, field: `auth.users${fault.field}` })),
  );
}

/** Its kind, with a number if there are several of the kind. */
function idOf(chain: readonly SourceSettings[], index: number): string {
  const kind = chain[index]?.kind ?? '';
  const before = chain.slice(0, index).filter((each) => each.kind === kind).length;
  return before === 0 ? kind : `${kind}-${String(before + 1)}`;
}

/** The users of the store, if the configuration asks them. */
export function openStoredUsers({ auth }: Config, { users }: Stores): StoredUsers | undefined {
  const settings = auth.chain?.find((source) => source.kind === 'stored');
  return settings && new StoredUsers(users, settings.cacheBytes);
}

function passwordCheckOf(
  { saltSecret, iterations, hashCost }: Config['auth'] & { readonly saltSecret: string },
  stored: StoredUsers | undefined,
): PasswordCheck {
  const crypto = new NodeScramCrypto();
  const hashing = stored && { hasher: crypto, cost: hashCostOf(hashCost) };
  return new PasswordCheck({ crypto, saltSecret, iterations, hashing });
}

async function openTokens(
  settings: JwtSettings & { readonly isPublicOnly?: boolean },
  log: Log,
): Promise<Opened> {
  const { userClaim, clientIdClaim, groupsClaim, aclClaim } = settings;
  const secret = settings.secret && secretOf(settings.secret, 'secret');
  if (typeof secret === 'object') return { faults: [secret] };
  const opened = await openJwtSource(
    { ...settings, secret },
    {
      issuer: settings.issuer,
      audience: settings.audience,
      leewaySeconds: settings.leewaySeconds,
      claims: { user: userClaim, clientId: clientIdClaim, groups: groupsClaim, acl: aclClaim },
      parseRules: parseUserRules,
      nowMs: Date.now,
    },
    log,
  );
  return opened.kind === 'opened' ? opened.source : { faults: [opened.fault] };
}

function openWebhook({ headers, ...settings }: WebhookSettings): Opened {
  for (const [name, value] of Object.entries(headers)) {
    const secret = typeof value === 'string' ? value : secretOf(value, `headers.${name}`);
    if (typeof secret === 'object') return { faults: [secret] };
  }
  // Secrets are read again each time: they may have been replaced.
  const readHeaders = (): Readonly<Record<string, string>> =>
    Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name,
        typeof value === 'string' ? value : readSecret(value),
      ]),
    );
  const parts = { ...settings, parseRules: parseUserRules, nowMs: Date.now };
  const opened = openWebhookSource(settings, readHeaders, parts);
  return opened.kind === 'opened' ? opened.source : { faults: [opened.fault] };
}

function secretOf(
  reference: NonNullable<JwtSettings['secret']>,
  field: string,
): string | SourceFault {
  try {
    return readSecret(reference);
  } catch (error) {
    if (!(error instanceof SecretError)) throw error;
    const fix = 'name a file with the secret in its first line, or a variable';
    return { field, problem: `cannot be read: ${error.message}`, fix };
  }
}
