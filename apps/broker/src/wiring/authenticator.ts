import { randomBytes } from 'node:crypto';
import { AuthChain, PasswordCheck, UserSource, hashCostOf, type AuthSource } from '#libs/access';
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
  opennessFault,
  parseUserRules,
  readSecret,
  type Config,
} from '#libs/config';
import type { Stores } from './stores.ts';

type SourceSettings = NonNullable<Config['auth']['chain']>[number];
type JwtSettings = Extract<SourceSettings, { kind: 'jwt' }>;
type WebhookSettings = Extract<SourceSettings, { kind: 'webhook' }>;
/** A source, or what is wrong with it; `field` is relative to its item of the chain. */
type Opened = AuthSource | { readonly faults: readonly SourceFault[] };

/**
 * Asks the sources of the configuration; undefined when it names none, and everybody may connect.
 *
 * @throws ConfigError when it would let in everybody without having been told to, or naming everything that is wrong with users, keys and secrets.
 */
export async function openAuthenticator(
  config: Config,
  log: Log,
  stored: StoredUsers | undefined,
): Promise<AuthChain | undefined> {
  const openness = opennessFault(config);
  if (openness !== undefined) throw new ConfigError([openness]);
  const { auth } = config;
  const chain = authChain(config);
  if (chain.length === 0) return undefined;
  const saltSecret = auth.saltSecret ?? randomBytes(32).toString('base64');
  const { iterations } = auth;
  const users = await ConfiguredUsers.open(auth.users, { iterations, saltSecret });
  if (users.kind === 'faulty') {
    throw new ConfigError(
      users.faults.map((fault) => ({ ...fault, field: `auth.users${fault.field}` })),
    );
  }
  const passwords = passwordCheckOf({ ...auth, saltSecret }, stored);
  const open = async (settings: SourceSettings): Promise<Opened> => {
    switch (settings.kind) {
      case 'users':
        return new UserSource(users.users, passwords);
      case 'stored':
        return stored === undefined ? { faults: [] } : new UserSource(stored, passwords);
      case 'jwt':
        return await openTokens(settings, log);
      case 'certificate':
        return new CertificateSource(settings.name);
      case 'webhook':
        return openWebhook(settings);
    }
  };
  const sources: AuthSource[] = [];
  for (const [index, settings] of chain.entries()) {
    const source = await open(settings);
    if (!('faults' in source)) {
      sources.push(source);
      continue;
    }
    const path = `auth.chain[${String(index)}].`;
    throw new ConfigError(source.faults.map((each) => ({ ...each, field: path + each.field })));
  }
  return new AuthChain({ sources, passwords, anonymous: auth.anonymous });
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

async function openTokens(settings: JwtSettings, log: Log): Promise<Opened> {
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
