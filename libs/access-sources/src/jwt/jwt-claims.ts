import { saslprep, type AclRule, type Identity } from '#libs/access';

/** In which claims of a token stands what. */
export interface ClaimNames {
  readonly user: string;
  /** The client id that the token is for; undefined: for any. */
  readonly clientId?: string | undefined;
  readonly groups: string;
  readonly acl: string;
}

/** What a valid token says of its client. */
export interface TokenIdentity {
  readonly identity: Identity & { readonly user: string };
  /** The client id that it is for. */
  readonly clientId: string | undefined;
}

/** Checks rules as the configuration does; a text says what is wrong with them. */
export type ParseRules = (value: unknown) => readonly AclRule[] | string;

const NAME_LENGTH_MAX = 256;
const GROUPS_MAX = 256;

/** Reads the claims of a token; a text says which of them is not as it should be. */
export function identityOfClaims(
  claims: Readonly<Record<string, unknown>>,
  names: ClaimNames,
  parseRules: ParseRules,
): TokenIdentity | string {
  const name = claimOf(claims, names.user);
  const user = isName(name) ? saslprep(name) : undefined;
  if (user?.kind !== 'prepared' || user.text === '') return `${names.user} is no user name`;
  let clientId: string | undefined;
  if (names.clientId !== undefined) {
    const claim = claimOf(claims, names.clientId);
    if (typeof claim !== 'string' || claim === '') return `${names.clientId} is no client id`;
    clientId = claim;
  }
  const groups = groupsOf(claimOf(claims, names.groups));
  if (groups === undefined) return `${names.groups} is no list of groups`;
  const acl = claimOf(claims, names.acl);
  const rules = acl === undefined ? [] : parseRules(acl);
  if (typeof rules === 'string') return `${names.acl} ${rules}`;
  return { identity: { user: user.text, groups, rules }, clientId };
}

/** One group, or a list of them; undefined for anything else. */
export function groupsOf(value: unknown): readonly string[] | undefined {
  if (value === undefined) return [];
  const groups: readonly unknown[] = Array.isArray(value) ? value : [value];
  return groups.length <= GROUPS_MAX && groups.every(isName) ? groups : undefined;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= NAME_LENGTH_MAX;
}

/** A claim by its name, or else by a path of names with dots between them. */
export function claimOf(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let here: unknown = claims;
  for (const key of name.split('.')) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Readonly<Record<string, unknown>>)[key];
  }
  return here;
}
