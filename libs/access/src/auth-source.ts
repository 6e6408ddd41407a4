import type { AuthExchange } from './authenticator.ts';
import type { AuthBackend, Identity, Login } from './identity.ts';
import type { UserDirectory } from './user-directory.ts';

/** What a source says to a login. It rejects when it cannot tell: the client is refused then, and told to try again. */
export type SourceVerdict =
  | { readonly kind: 'allowed'; readonly identity: Identity }
  /** The client claims to be somebody this source knows, and is not. `detail` is for the log: no secret, and nothing the client is told. */
  | { readonly kind: 'denied'; readonly detail: string }
  /** The source has nothing to say: the next one is asked. */
  | { readonly kind: 'not-mine' }
  /** Too many are being verified: try again later. */
  | { readonly kind: 'busy' };

/** One of those who are asked, in the order of a chain, who a client is. */
export interface AuthSource {
  readonly backend: AuthBackend;
  /** Rejects when it cannot tell. */
  login(login: Login): Promise<SourceVerdict>;
  /** Its users, where they have passwords: they may prove themselves by SCRAM as well. */
  readonly directory?: UserDirectory;
  /** A new exchange of an authentication method of MQTT 5 that is its own; undefined when that is another's. */
  exchange?(method: string, login: Login): AuthExchange | undefined;
}
