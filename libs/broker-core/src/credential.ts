import type { SessionEntry } from './session-entry.ts';
import type { Identity, Principal } from '#libs/access';
import type { Connection } from './connection.ts';

/** Keeps what a connection ends by. */
export function setCredential(connection: Connection, identity: Identity): void {
  connection.expiresAtMs = identity.expiresAtMs ?? Infinity;
  connection.passwordSetAtMs = identity.passwordSetAtMs;
}

/** A client as rules see it. */
export function principalOf(
  { transport }: Connection,
  clientId: string,
  { user, groups = [], rules = [], expiresAtMs }: Identity,
): Principal {
  const { listener, remoteAddress: address, certificate } = transport;
  return {
    user,
    clientId,
    address,
    listener,
    groups,
    rules,
    ...(certificate && { certificate }),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  };
}

/** Who the client of a session is to the access control: as it has shown, or as its record says. */
export function knownPrincipalOf(entry: SessionEntry | undefined): Principal | undefined {
  if (entry?.access !== undefined || entry === undefined) return entry?.access?.principal;
  const { clientId, client, user } = entry;
  const { username = user, remoteAddress: address = '', listener = '' } = client ?? {};
  return { user: username, clientId, address, listener, groups: [], rules: [] };
}
