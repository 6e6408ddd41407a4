import type { AuthBackend, Identity, Login } from './identity.ts';

/** The verdict on a login. */
export type LoginVerdict = { readonly backend: AuthBackend } & (
  | { readonly kind: 'allowed'; readonly identity: Identity }
  /** `anonymous`: the client has shown nothing. `credentials`: what it has shown is wrong; it is not told what. */
  | {
      readonly kind: 'denied';
      readonly reason: 'anonymous' | 'credentials';
      /** For the log. */
      readonly detail?: string;
    }
  /** Too many are being verified: try again later. */
  | { readonly kind: 'busy' }
  /** Nobody could tell; `detail` is for the log. */
  | { readonly kind: 'failed'; readonly detail: string }
);

/** What follows in an exchange. */
export type AuthStep =
  /** The client has to answer this; no data is an invitation to begin. */
  | { readonly kind: 'continue'; readonly data?: Uint8Array }
  /** The client has proven who it is, and `data`, if there is any, proves the server to the client. */
  | {
      readonly kind: 'allowed';
      readonly identity: Identity & { readonly user: string };
      readonly data?: Uint8Array;
    }
  /** The exchange is over. `detail` is for the log: it says nothing about whether the user exists. */
  | { readonly kind: 'denied'; readonly detail: string };

/** One run of an authentication method with a client. */
export interface AuthExchange {
  /** For the metrics. */
  readonly backend: AuthBackend;
  /**
   * Takes what the client has said, or undefined when it said nothing yet. Not called again before the answer is here.
   *
   * @returns rejects when the credentials could not be looked up; the exchange is over then.
   */
  step(data: Uint8Array | undefined): Promise<AuthStep>;
}

/** Decides who a client is. */
export interface Authenticator {
  /** Decides on a CONNECT without an authentication method. */
  login(login: Login): Promise<LoginVerdict>;
  /** A new exchange of an authentication method of MQTT 5; undefined when it is not offered. */
  exchange(method: string, login: Login): AuthExchange | undefined;
}
