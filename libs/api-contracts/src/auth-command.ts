/** One of those who are asked who a client is. No secret is in its settings. */
export interface WireAuthBackend {
  readonly id: string;
  readonly kind: 'users' | 'stored' | 'jwt' | 'certificate' | 'webhook';
  readonly settings: Readonly<Record<string, unknown>>;
}

/** Who is asked, in this order, at each of the listeners. */
export interface WireAuth {
  readonly backends: readonly WireAuthBackend[];
  readonly listeners: readonly string[];
  /** Whether clients that show nothing may connect. */
  readonly anonymous: boolean;
}

/** What a client would show. The password is base64. */
export interface WireLogin {
  readonly clientId: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly address: string;
  readonly listener: string;
  readonly certificateName?: string | undefined;
}

/** What a backend says to a login. `absent`: there is no such backend. `silent`: it takes too long. */
export type WireLoginTrial =
  | {
      readonly kind: 'allowed';
      readonly user?: string | undefined;
      readonly groups: readonly string[];
      readonly ruleCount: number;
      readonly expiresAtMs?: number | undefined;
      readonly latencyMs: number;
    }
  | {
      readonly kind: 'denied' | 'failed';
      readonly detail: string;
      readonly latencyMs: number;
    }
  | { readonly kind: 'not-mine' | 'busy' | 'silent'; readonly latencyMs: number }
  | { readonly kind: 'absent' };

/** What the API asks of a node about who clients are. */
export type AuthCommand =
  | { readonly kind: 'auth' }
  | {
      readonly kind: 'try-login';
      readonly backend: string;
      readonly login: WireLogin;
      readonly withinMs: number;
    };

/** The answers by kind of command. */
export interface AuthAnswers {
  readonly auth: WireAuth;
  readonly 'try-login': WireLoginTrial;
}
