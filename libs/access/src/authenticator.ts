/** What a client shows of itself in a CONNECT without an authentication method. */
export interface Login {
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
}

/** The verdict on a login. */
export type LoginVerdict =
  /** `user` is the name in its prepared form, the one to use from here on. */
  | { readonly kind: 'allowed'; readonly user: string }
  /** `anonymous`: the client has shown no name. `credentials`: the name or the password is wrong; it is not told which. */
  | { readonly kind: 'denied'; readonly reason: 'anonymous' | 'credentials' }
  /** Too many are being verified: try again later. */
  | { readonly kind: 'busy' };

/** What follows in an exchange. */
export type AuthStep =
  /** The client has to answer this; no data is an invitation to begin. */
  | { readonly kind: 'continue'; readonly data?: Uint8Array }
  /** The client has proven to be `user`, and `data` proves the server to the client. */
  | { readonly kind: 'allowed'; readonly user: string; readonly data: Uint8Array }
  /** The exchange is over. `detail` is for the log: it says nothing about whether the user exists. */
  | { readonly kind: 'denied'; readonly detail: string };

/** One run of an authentication method with a client. */
export interface AuthExchange {
  /**
   * Takes what the client has said, or undefined when it said nothing yet. Not called again before the answer is here.
   *
   * @returns rejects when the credentials could not be looked up; the exchange is over then.
   */
  step(data: Uint8Array | undefined): Promise<AuthStep>;
}

/** Decides who a client is. */
export interface Authenticator {
  /** Rejects when the credentials could not be looked up. */
  login(login: Login): Promise<LoginVerdict>;
  /** A new exchange of an authentication method of MQTT 5; undefined when it is not offered. */
  exchange(method: string): AuthExchange | undefined;
}
