/** One of those who are asked who a client is. No secret is in its settings. */
export interface WireAuthBackend {
  readonly id: string;
  readonly kind: 'users' | 'stored' | 'jwt' | 'certificate' | 'webhook';
  readonly source: 'config' | 'api';
  readonly settings: Readonly<Record<string, unknown>>;
}

/** A backend that was made over REST, with its settings as the configuration has them. */
export interface WireMadeBackend {
  readonly id: string;
  readonly settings: { readonly kind: string; readonly [name: string]: unknown };
}

/** What was set over REST of who is asked. */
export interface WireAuthDocument {
  readonly backends: readonly WireMadeBackend[];
  /** The ids of all backends. */
  readonly order: readonly string[];
  /** By listener, where it differs. */
  readonly chains: Readonly<Record<string, readonly string[]>>;
}

/** Who is asked at a listener, by id. */
export interface WireAuthChain {
  readonly listener: string;
  readonly backends: readonly string[];
  /** Whether that was set for the listener; else it is the order of all. */
  readonly isOwn: boolean;
}

/** What came of setting who is asked; the path of a fault leads from the document. */
export type WireAuthChange =
  | { readonly kind: 'stored'; readonly revision: number }
  /** It could be stored, and was not since nothing was to be changed. */
  | { readonly kind: 'sound' }
  | { readonly kind: 'conflict' }
  /** Nobody is asked on this node at all: its configuration lets everybody in. */
  | { readonly kind: 'open' }
  | { readonly kind: 'invalid'; readonly path: readonly string[]; readonly detail: string };

/** Who is asked, in this order, at each of the listeners. */
export interface WireAuth {
  readonly backends: readonly WireAuthBackend[];
  readonly chains: readonly WireAuthChain[];
  readonly document: WireAuthDocument;
  /** Of the document; 0 when there has been none. */
  readonly revision: number;
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
      readonly kind: 'put-auth';
      readonly document: WireAuthDocument;
      readonly revision: number;
      /** Only says what would come of it. */
      readonly dryRun?: boolean;
    }
  | {
      readonly kind: 'try-login';
      readonly backend: string;
      readonly login: WireLogin;
      readonly withinMs: number;
    };

/** The answers by kind of command. */
export interface AuthAnswers {
  readonly auth: WireAuth;
  readonly 'put-auth': WireAuthChange;
  readonly 'try-login': WireLoginTrial;
}
