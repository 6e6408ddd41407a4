import {
  saslprep,
  type AuthBackend,
  type Identity,
  type Login,
  type LoginVerdict,
} from '#libs/access';
import type { Meter } from '#libs/broker-ports';
import { REASON, type ConnectPacket } from '#libs/mqtt-codec';
import { takesConnack, type ConnectionTerms } from '#libs/mqtt-engine';
import { Authentication, type AuthVerdict } from './authentication.ts';
import type { Connection } from './connection.ts';
import { hubClientOf } from './explanation.ts';
import type { NodeParts } from './parts.ts';
import type { TracedDecision } from './tracing.ts';

/** A client that wants to connect. */
interface Candidate {
  readonly connection: Connection;
  readonly terms: ConnectionTerms;
  /** Called once with the terms under which the client may connect, and who it is. */
  readonly admitted: (terms: ConnectionTerms, identity: Identity) => void;
  /** The client has proven on its live connection who it is: the same user, with what is known of it now. */
  readonly renewed: (identity: Identity) => void;
}

type AdmissionParts = Pick<
  NodeParts,
  'authenticator' | 'hub' | 'log' | 'meter' | 'nowMs' | 'tracing'
>;

/** A client of which it is looked who it is. */
interface Examined extends Candidate {
  readonly sinceMs: number;
}

/** What a client has shown of itself, for the hub's hook. */
interface Evidence {
  readonly backend: AuthBackend;
  readonly user: string | undefined;
  readonly password: Uint8Array | undefined;
}

/** How a connection is counted that ends because its client has failed to authenticate again. */
const FAILED = 'authentication_failed';

const OTHER_USER: AuthVerdict = { kind: 'denied', detail: 'the exchange proves another user' };

/** A source that works every other time is no news each time. */
const TELL_AGAIN_MS = 60_000;

/**
 * Decides which clients may connect, and as whom: the node's users first, if it has any, then the hook of the hub.
 *
 * @remarks Both have to agree, so a plugin may refuse whom the users would let in, and nobody else gets in by a plugin.
 * An exchange shows the hook no password.
 */
export class Admission {
  readonly #parts: AdmissionParts;
  /** Those of which the log says that they cannot tell. */
  readonly #failing = new Set<AuthBackend>();
  /** When it last began to say so. */
  readonly #toldAtMs = new Map<AuthBackend, number>();

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
  }

  /** Refuses the connection, or calls `admitted`; that may be in a later turn. */
  admit(packet: ConnectPacket, candidate: Candidate): void {
    const method = packet.properties?.authenticationMethod;
    const examined = { ...candidate, sinceMs: this.#parts.nowMs() };
    if (method === undefined) this.#login(packet, examined);
    else this.#begin(method, packet, examined);
  }

  #login(packet: ConnectPacket, candidate: Examined): void {
    const { terms, admitted } = candidate;
    const { username, password } = packet;
    const { authenticator } = this.#parts;
    if (authenticator === undefined) {
      const evidence = { backend: 'anonymous', user: username, password } as const;
      return this.#ask(candidate, evidence, () => admitted(terms, { user: username }));
    }
    authenticator.login(loginOf(packet, candidate)).then(
      (verdict) => {
        const { backend } = verdict;
        if (verdict.kind !== 'allowed') return this.#refuse(candidate, verdict);
        this.#works(backend);
        const { identity } = verdict;
        const { user } = identity;
        this.#ask(candidate, { backend, user, password }, () => {
          admitted({ ...terms, username: user }, identity);
        });
      },
      (error: unknown) => this.#fail(candidate, 'password', String(error)),
    );
  }

  #refuse(candidate: Examined, verdict: Exclude<LoginVerdict, { kind: 'allowed' }>): void {
    const { connection, terms } = candidate;
    const { backend, kind } = verdict;
    if (kind === 'failed') return this.#fail(candidate, backend, verdict.detail);
    if (kind === 'busy') {
      this.#count(candidate, backend, 'error');
      this.#tell(connection, { backend, outcome: 'failed', detail: 'busy' });
      return connection.refuse(REASON.serverBusy, 'too many clients log in at the moment');
    }
    this.#works(backend);
    this.#count(candidate, backend, 'denied');
    const why = verdict.reason === 'anonymous' ? 'no user name was given' : verdict.detail;
    this.#tell(connection, { backend, outcome: 'denied', detail: why });
    if (verdict.reason === 'anonymous') {
      return connection.refuse(REASON.notAuthorized, 'a user name is needed');
    }
    const { detail } = verdict;
    if (detail !== undefined) {
      this.#parts.log.debug('login-denied', { backend, clientId: terms.clientId, detail });
    }
    connection.refuse(REASON.badUserNameOrPassword, 'user name or password is wrong');
  }

  #begin(method: string, packet: ConnectPacket, candidate: Examined): void {
    const { connection } = candidate;
    const { username, properties } = packet;
    const login = loginOf(packet, candidate);
    let backend: AuthBackend = 'scram';
    // A user name beside the exchange must be the one that is proven, and so must that of a later exchange.
    let expected = username === undefined ? undefined : preparedOr(username);
    const authentication = new Authentication(method, {
      exchange: (name) => {
        const exchange = this.#parts.authenticator?.exchange(name, login);
        backend = exchange?.backend ?? backend;
        return exchange;
      },
      challenge: (name, data) => connection.challenge(name, data),
      violated: (reasonCode, detail) => connection.close(reasonCode, detail),
      decided: (verdict) => {
        const user = verdict.kind === 'allowed' ? verdict.identity.user : undefined;
        const isOther = user !== undefined && user !== (expected ??= user);
        this.#decided(candidate, { method, backend }, isOther ? OTHER_USER : verdict);
      },
    });
    connection.authentication = authentication;
    authentication.begin(properties?.authenticationData, this.#parts.nowMs());
  }

  #decided(
    candidate: Examined,
    { method, backend }: { readonly method: string; readonly backend: AuthBackend },
    verdict: AuthVerdict,
  ): void {
    const { connection, terms, admitted } = candidate;
    if (verdict.kind === 'error') return this.#fail(candidate, backend, verdict.detail);
    this.#works(backend);
    if (verdict.kind === 'denied') {
      this.#count(candidate, backend, 'denied');
      this.#tell(connection, { backend, outcome: 'denied', detail: verdict.detail });
      return connection.close(REASON.notAuthorized, verdict.detail, FAILED);
    }
    const { identity, data } = verdict;
    const { user } = identity;
    const isRenewal = connection.isConnected;
    this.#ask(candidate, { backend, user, password: undefined }, () => {
      if (isRenewal) {
        candidate.renewed(identity);
        return connection.sendAuth(REASON.success, method, data);
      }
      const connackProperties = {
        ...terms.connackProperties,
        authenticationMethod: method,
        ...(data !== undefined && { authenticationData: data }),
      };
      const proven = { ...terms, username: user, connackProperties };
      if (takesConnack(proven)) return admitted(proven, identity);
      connection.refuse(REASON.packetTooLarge, 'the client takes no packet as large as CONNACK');
    });
  }

  #ask(candidate: Examined, evidence: Evidence, allowed: () => void): void {
    const { connection, terms } = candidate;
    const { backend, user, password } = evidence;
    const client = hubClientOf(connection, terms.clientId, user);
    this.#parts.hub.authenticate(client, password, (verdict) => {
      if (verdict === 'error') return this.#fail(candidate, backend, 'the hook has failed');
      this.#count(candidate, backend, verdict);
      const detail = verdict === 'denied' ? 'a hook has denied it' : undefined;
      this.#tell(connection, { backend, outcome: verdict, detail });
      if (verdict === 'denied') {
        return connection.close(REASON.notAuthorized, 'not authorized', FAILED);
      }
      // A client that has gone meanwhile takes no session from its next connection.
      if (connection.isOpen) allowed();
    });
  }

  #tell(
    connection: Connection,
    login: Omit<Extract<TracedDecision, { readonly type: 'login' }>, 'type'>,
  ): void {
    const { tracing } = this.#parts;
    if (tracing?.isOn === true) tracing.decided(connection, { type: 'login', ...login });
  }

  #count(
    { connection, sinceMs }: Examined,
    ...[backend, outcome]: Parameters<Meter['authenticated']>
  ): void {
    const { meter, nowMs } = this.#parts;
    meter.authenticated(backend, outcome);
    // Of a later exchange of a live connection it is not known when it began.
    if (connection.isConnected) return;
    meter.authenticationDuration(backend, Math.max(0, nowMs() - sinceMs) / 1_000);
  }

  #works(backend: AuthBackend): void {
    if (this.#failing.delete(backend)) this.#parts.log.info('authentication-works', { backend });
  }

  /** Logged once until somebody can tell again, and of one that fails now and then once a minute. */
  #fail(candidate: Examined, backend: AuthBackend, reason: string): void {
    const { connection } = candidate;
    this.#count(candidate, backend, 'error');
    this.#tell(connection, { backend, outcome: 'failed', detail: reason });
    const nowMs = this.#parts.nowMs();
    const toldAtMs = this.#toldAtMs.get(backend) ?? -Infinity;
    if (!this.#failing.has(backend) && nowMs - toldAtMs >= TELL_AGAIN_MS) {
      this.#failing.add(backend);
      this.#toldAtMs.set(backend, nowMs);
      this.#parts.log.warn('authentication-failed', { backend, reason });
    }
    // DISCONNECT has no 0x88.
    const isLive = connection.isConnected;
    const reasonCode = isLive ? REASON.implementationSpecificError : REASON.serverUnavailable;
    connection.close(reasonCode, 'nobody can tell who the client is at the moment', FAILED);
  }
}

function loginOf({ username, password }: ConnectPacket, { connection, terms }: Candidate): Login {
  const { listener, remoteAddress, certificate } = connection.transport;
  return {
    clientId: terms.clientId,
    username,
    password,
    address: remoteAddress,
    listener,
    ...(certificate && { certificate }),
  };
}

/** A name that cannot be prepared is nobody's. */
function preparedOr(name: string): string {
  const prepared = saslprep(name);
  return prepared.kind === 'prepared' ? prepared.text : name;
}
