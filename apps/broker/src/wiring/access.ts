import { AccessControl, Acl, type AclRule } from '#libs/access';
import type { AccessParts } from '#libs/broker-core';
import type { Config } from '#libs/config';

/** The access control of the configuration; undefined when everybody may do everything. */
export function openAccess({ acl, auth }: Config): AccessParts | undefined {
  const hasRules = acl.rules.length > 0 || auth.users.some((user) => user.acl !== undefined);
  const fallback = acl.default ?? (hasRules || auth.users.length > 0 ? 'deny' : 'allow');
  if (!hasRules && fallback === 'allow') return undefined;
  const rules: readonly AclRule[] = acl.rules;
  const control = new AccessControl(new Acl(rules, fallback));
  return { control, deniedPublish: acl.deniedPublish };
}
