import {
  AccessControl,
  Acl,
  ClientIdRule,
  saslprep,
  type AclDocument,
  type AclEffect,
  type UserAccess,
  type UserDirectory,
} from '#libs/access';
import type { AccessParts } from '#libs/broker-core';
import type { DefinitionStore, Log } from '#libs/broker-ports';
import { authChain, type Config } from '#libs/config';
import { GeneralRules } from '../general-rules.ts';

/** The general rules of a node: of the configuration at first, and soon those of the store as well. */
export function openRules(
  { acl, auth }: Config,
  store: DefinitionStore<AclDocument>,
  log: Log,
): GeneralRules {
  return new GeneralRules({
    configured: acl.rules,
    fallback: fallbackOf({ acl, auth }),
    store,
    log,
  });
}

/** The access control that they are applied by. */
export function openAccess({ acl }: Config, { configured, fallback }: GeneralRules): AccessParts {
  const control = new AccessControl(new Acl(configured, fallback));
  return { control, deniedPublish: acl.deniedPublish };
}

/** Where anybody is asked who a client is, or there are rules, nobody may do anything unless a rule says so. */
function fallbackOf({ acl, auth }: Pick<Config, 'acl' | 'auth'>): AclEffect {
  const isAnybodyAsked = authChain({ auth }).length > 0;
  return acl.default ?? (isAnybodyAsked || acl.rules.length > 0 ? 'deny' : 'allow');
}

/** What users have besides the general rules; the first source that knows one counts, as at a login. */
export function accessOfUsers(
  { auth }: Config,
  stored: UserDirectory | undefined,
): (user: string) => Promise<UserAccess | undefined> {
  const users = new Map<string, UserAccess>();
  for (const { name, groups = [], acl: rules = [] } of auth.users) {
    const prepared = saslprep(name);
    if (prepared.kind === 'prepared') users.set(prepared.text, { groups, rules });
  }
  const first = auth.chain?.find(({ kind }) => kind === 'users' || kind === 'stored');
  return async (name) => {
    const prepared = saslprep(name);
    const user = prepared.kind === 'prepared' ? prepared.text : name;
    const configured = users.get(user);
    if (configured !== undefined && first?.kind !== 'stored') return configured;
    const identity = (await stored?.find(user))?.identity;
    return identity === undefined
      ? configured
      : { groups: identity.groups ?? [], rules: identity.rules ?? [] };
  };
}

/** Which client ids clients may have; undefined for any. */
export function clientIdsOf({ auth }: Config): ClientIdRule | undefined {
  return auth.clientIds.length === 0 ? undefined : new ClientIdRule(auth.clientIds);
}
