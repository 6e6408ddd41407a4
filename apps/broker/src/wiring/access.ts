import { AccessControl, Acl, type AclRule } from '#libs/access';
import type { AccessParts } from '#libs/broker-core';
import type { Config } from '#libs/config';

/**
 * The access control of the configuration; undefined when everybody may do everything.
 *
 * @remarks Whoever is asked who a client is may bring rules of it, so they are looked at even where all else is allowed.
 */
export function openAccess({ acl, auth }: Config): AccessParts | undefined {
  const isAnybodyAsked = (auth.chain ?? auth.users).length > 0;
  const fallback = acl.default ?? (isAnybodyAsked || acl.rules.length > 0 ? 'deny' : 'allow');
  if (!isAnybodyAsked && acl.rules.length === 0 && fallback === 'allow') return undefined;
  const rules: readonly AclRule[] = acl.rules;
  const control = new AccessControl(new Acl(rules, fallback));
  return { control, deniedPublish: acl.deniedPublish };
}
