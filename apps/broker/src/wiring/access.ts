import {
  AccessControl,
  Acl,
  ClientIdRule,
  saslprep,
  type AclDocument,
  type AclEffect,
  type UserAccess,
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

/** What users of the configuration have besides the general rules. */
export function configuredAccess({
  auth,
}: Config): (user: string) => Promise<UserAccess | undefined> {
  const users = new Map<string, UserAccess>();
  for (const { name, groups = [], acl: rules = [] } of auth.users) {
    const prepared = saslprep(name);
    if (prepared.kind === 'prepared') users.set(prepared.text, { groups, rules });
  }
  return async (user) => users.get(user);
}

/** Which client ids clients may have; undefined for any. */
export function clientIdsOf({ auth }: Config): ClientIdRule | undefined {
  return auth.clientIds.length === 0 ? undefined : new ClientIdRule(auth.clientIds);
}
