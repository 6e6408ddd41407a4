import { saslprep, type LoginVerdict } from '#libs/access';
import { REASON, type ConnectPacket } from '#libs/mqtt-codec';
import { takesConnack, type ConnectionTerms } from '#libs/mqtt-engine';
import { Authentication, type AuthVerdict } from './authentication.ts';
import { hubClientOf, type Connection } from './connection.ts';
import type { NodeParts } from './parts.ts';

/** A client that wants to connect. */
interface Candidate {
  readonly connection: Connection;
  readonly terms: ConnectionTerms;
  /** Called once with the terms under which the client may connect. */
  readonly admitted: (terms: ConnectionTerms) => void;
}

/** What a client has shown of itself, for the hub's hook. */
interface Evidence {
  readonly backend: 'anonymous' | 'password' | 'scram';
  readonly user: string | undefined;
  readonly password: Uint8Array | undefined;
}

/** How a connection is counted that ends because its client has failed to authenticate again. */
const FAILED = 'authentication_failed';

const OTHER_USER: AuthVerdict = { kind: 'denied', detail: 'the exchange proves another user' };

/**
 * Decides which clients may connect, and as whom: the node's users first, if it has any, then the hook of the hub.
 *
 * @remarks Both have to agree, so a plugin may refuse whom the users would let in, and nobody else gets in by a plugin.
 * An exchange shows the hook no password.
 */
export class Admission {
  readonly #parts: Pick<NodeParts, 'authenticator' | 'hub' | 'log' | 'meter' | 'nowMs'>;

  constructor(parts: Pick<NodeParts, 'authenticator' | 'hub' | 'log' | 'meter' | 'nowMs'>) {
    this.#parts = parts;
  }

  /** Refuses the connection, or calls `admitted`; that may be in a later turn. */
  admit(packet: ConnectPacket, candidate: Candidate): void {
    const method = packet.properties?.authenticationMethod;
    if (method === undefined) this.#login(packet, candidate);
    else this.#begin(method, packet, candidate);
  }

  #login({ username, password }: ConnectPacket, candidate: Candidate): void {
    const { connection, terms, admitted } = candidate;
    const { authenticator } = this.#parts;
    if (authenticator === undefined) {
      const evidence = { backend: 'anonymous', user: username, password } as const;
      return this.#ask(candidate, evidence, () => admitted(terms));
    }
    const backend = username === undefined ? 'anonymous' : 'password';
    authenticator.login({ username, password }).then(
      (verdict) => {
        if (verdict.kind !== 'allowed') return this.#refuse(connection, verdict);
        const { user } = verdict;
        const evidence = { backend, user, password } as const;
        this.#ask(candidate, evidence, () => admitted({ ...terms, username: user }));
      },
      (error: unknown) => this.#fail(connection, backend, String(error)),
    );
  }

  #refuse(connection: Connection, verdict: Exclude<LoginVerdict, { kind: 'allowed' }>): void {
    if (verdict.kind === 'busy') {
      this.#parts.meter.authenticated('password', 'error');
      return connection.refuse(REASON.serverBusy, 'too many clients log in at the moment');
    }
    if (verdict.reason === 'anonymous') {
      this.#parts.meter.authenticated('anonymous', 'denied');
      return connection.refuse(REASON.notAuthorized, 'a user name is needed');
    }
    this.#parts.meter.authenticated('password', 'denied');
    connection.refuse(REASON.badUserNameOrPassword, 'user name or password is wrong');
  }

  #begin(method: string, { username, properties }: ConnectPacket, candidate: Candidate): void {
    const { connection } = candidate;
    // A user name beside the exchange must be the one that is proven, and so must that of a later exchange.
    let expected = username === undefined ? undefined : preparedOr(username);
    const authentication = new Authentication(method, {
      exchange: (name) => this.#parts.authenticator?.exchange(name),
      challenge: (name, data) => connection.challenge(name, data),
      violated: (reasonCode, detail) => connection.close(reasonCode, detail),
      decided: (verdict) => {
        const isOther = verdict.kind === 'allowed' && verdict.user !== (expected ??= verdict.user);
        this.#decided(candidate, method, isOther ? OTHER_USER : verdict);
      },
    });
    connection.authentication = authentication;
    authentication.begin(properties?.authenticationData, this.#parts.nowMs());
  }

  #decided(candidate: Candidate, method: string, verdict: AuthVerdict): void {
    const { connection, terms, admitted } = candidate;
    if (verdict.kind === 'error') return this.#fail(connection, 'scram', verdict.detail);
    if (verdict.kind === 'denied') {
      this.#parts.meter.authenticated('scram', 'denied');
      return connection.close(REASON.notAuthorized, verdict.detail, FAILED);
    }
    const { user, data } = verdict;
    const isRenewal = connection.isConnected;
    this.#ask(candidate, { backend: 'scram', user, password: undefined }, () => {
      if (isRenewal) return connection.sendAuth(REASON.success, method, data);
      const connackProperties = {
        ...terms.connackProperties,
        authenticationMethod: method,
        authenticationData: data,
      };
      const proven = { ...terms, username: user, connackProperties };
      if (takesConnack(proven)) return admitted(proven);
      connection.refuse(REASON.packetTooLarge, 'the client takes no packet as large as CONNACK');
    });
  }

  #ask({ connection, terms }: Candidate, evidence: Evidence, allowed: () => void): void {
    const { backend, user, password } = evidence;
    const client = hubClientOf(connection, terms.clientId, user);
    this.#parts.hub.authenticate(client, password, (verdict) => {
      if (verdict === 'error') return this.#fail(connection, backend, 'the hook has failed');
      this.#parts.meter.authenticated(backend, verdict);
      if (verdict === 'denied') {
        return connection.close(REASON.notAuthorized, 'not authorized', FAILED);
      }
      // A client that has gone meanwhile takes no session from its next connection.
      if (connection.isOpen) allowed();
    });
  }

  #fail(connection: Connection, backend: Evidence['backend'], reason: string): void {
    this.#parts.meter.authenticated(backend, 'error');
    this.#parts.log.warn('authentication-failed', { backend, reason });
    // DISCONNECT has no 0x88.
    const isLive = connection.isConnected;
    const reasonCode = isLive ? REASON.implementationSpecificError : REASON.serverUnavailable;
    connection.close(reasonCode, 'nobody can tell who the client is at the moment', FAILED);
  }
}

/** A name that cannot be prepared is nobody's. */
function preparedOr(name: string): string {
  const prepared = saslprep(name);
  return prepared.kind === 'prepared' ? prepared.text : name;
}
