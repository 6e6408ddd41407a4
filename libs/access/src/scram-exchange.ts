import type { AuthExchange, AuthStep } from './authenticator.ts';
import { saslprep } from './saslprep.ts';
import type { Identity } from './identity.ts';
import type { PasswordCheck } from './password-check.ts';
import type { ScramCredential } from './scram-credential.ts';
import type { ScramMechanism } from './scram-mechanism.ts';
import {
  formatServerFinal,
  formatServerFirst,
  parseClientFinal,
  parseClientFirst,
  utf8,
} from './scram-message.ts';
import type { UserDirectory } from './user-directory.ts';

/** What is known after the first message. */
interface Begun {
  readonly credential: ScramCredential;
  /** Undefined for a user who does not exist, or has no credential of the mechanism. */
  readonly identity: (Identity & { readonly user: string }) | undefined;
  readonly gs2Header: string;
  readonly nonce: string;
  /** client-first-message-bare and server-first-message, with the commas that follow them. */
  readonly signed: string;
}

/**
 * The server's side of SCRAM (RFC 5802, RFC 7677) for one client.
 *
 * @remarks A user who does not exist is asked like any other, with a salt that does not change, and denied at the end.
 */
export class ScramExchange implements AuthExchange {
  readonly backend = 'scram';
  readonly #mechanism: ScramMechanism;
  readonly #users: UserDirectory;
  readonly #passwords: Pick<PasswordCheck, 'crypto' | 'decoyOf'>;
  #isInvited = false;
  #begun: Begun | undefined;

  constructor(
    mechanism: ScramMechanism,
    users: UserDirectory,
    passwords: Pick<PasswordCheck, 'crypto' | 'decoyOf'>,
  ) {
    this.#mechanism = mechanism;
    this.#users = users;
    this.#passwords = passwords;
  }

  async step(data: Uint8Array | undefined): Promise<AuthStep> {
    if (this.#begun !== undefined) return this.#end(this.#begun, data);
    if (data !== undefined) return await this.#begin(data);
    // The client speaks first in SCRAM: one that has not is invited once (RFC 4422, section 5).
    if (this.#isInvited) return denied('the client says nothing');
    this.#isInvited = true;
    return { kind: 'continue' };
  }

  async #begin(data: Uint8Array): Promise<AuthStep> {
    const first = parseClientFirst(data);
    if (typeof first === 'string') return denied(first);
    const name = saslprep(first.user);
    if (name.kind === 'refused') return denied(`the user name ${name.fault}`);
    if (name.text === '') return denied('the user name is empty');
    if (first.authzid !== undefined && first.authzid !== first.user) {
      return denied('nobody may act for another user');
    }
    const decoy = this.#passwords.decoyOf(this.#mechanism, name.text);
    const known = await this.#users.find(name.text);
    const found = known?.credentials.find(({ mechanism }) => mechanism === this.#mechanism);
    const credential = found ?? decoy;
    const nonce = first.nonce + this.#passwords.crypto.nonce();
    const serverFirst = formatServerFirst(nonce, credential);
    this.#begun = {
      credential,
      identity: found && { ...known?.identity, user: name.text },
      gs2Header: first.gs2Header,
      nonce,
      signed: `${first.bare},${serverFirst},`,
    };
    return { kind: 'continue', data: utf8(serverFirst) };
  }

  #end(begun: Begun, data: Uint8Array | undefined): AuthStep {
    const final = data === undefined ? 'message is malformed' : parseClientFinal(data);
    if (typeof final === 'string') return denied(final);
    if (final.channelBinding !== begun.gs2Header) return denied('channel binding has changed');
    if (final.nonce !== begun.nonce) return denied('nonce is not the one of this exchange');
    const { crypto } = this.#passwords;
    const { storedKey, serverKey } = begun.credential;
    const message = begun.signed + final.withoutProof;
    const clientKey = crypto.hmac(this.#mechanism, storedKey, message);
    if (final.proof.length !== clientKey.length) return denied('message is malformed');
    for (const [index, byte] of final.proof.entries())
      clientKey[index] = (clientKey[index] ?? 0) ^ byte;
    const isProven = crypto.isEqual(crypto.hash(this.#mechanism, clientKey), storedKey);
    const { identity } = begun;
    if (!isProven || identity === undefined) return denied('user name or password is wrong');
    const signature = crypto.hmac(this.#mechanism, serverKey, message);
    return { kind: 'allowed', identity, data: utf8(formatServerFinal(signature)) };
  }
}

function denied(detail: string): AuthStep {
  return { kind: 'denied', detail };
}
