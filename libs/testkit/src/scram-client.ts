import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** The client's side of SCRAM (RFC 5802), written apart from the server's side that it proves. */
export class ScramClient {
  readonly #digest: 'sha256' | 'sha512';
  readonly #password: string;
  readonly #gs2Header: string;
  readonly #bare: string;
  #serverSignature = '';

  constructor(
    mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512',
    login: { readonly user: string; readonly password: string },
    options: { readonly nonce?: string; readonly gs2Header?: string } = {},
  ) {
    this.#digest = mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512';
    this.#password = login.password;
    this.#gs2Header = options.gs2Header ?? 'n,,';
    const name = login.user.replaceAll('=', '=3D').replaceAll(',', '=2C');
    this.#bare = `n=${name},r=${options.nonce ?? randomBytes(18).toString('base64')}`;
  }

  /** The first message. */
  first(): Buffer {
    return Buffer.from(this.#gs2Header + this.#bare);
  }

  /** The answer to the server's first message. */
  final(serverFirst: Uint8Array): Buffer {
    const text = Buffer.from(serverFirst).toString();
    const [, nonce = '', salt = '', iterations = ''] = /^r=(.*),s=(.*),i=(\d+)$/.exec(text) ?? [];
    const bytes = this.#digest === 'sha256' ? 32 : 64;
    const salted = pbkdf2Sync(
      this.#password,
      Buffer.from(salt, 'base64'),
      ...([Number(iterations), bytes, this.#digest] as const),
    );
    const binding = Buffer.from(this.#gs2Header).toString('base64');
    const withoutProof = `c=${binding},r=${nonce}`;
    const signed = `${this.#bare},${text},${withoutProof}`;
    const clientKey = this.#hmac(salted, 'Client Key');
    const storedKey = createHash(this.#digest).update(clientKey).digest();
    const signature = this.#hmac(storedKey, signed);
    const proof = clientKey.map((byte, index) => byte ^ (signature[index] ?? 0));
    this.#serverSignature = this.#hmac(this.#hmac(salted, 'Server Key'), signed).toString('base64');
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`);
  }

  /** Whether the server's last message proves that it knows the password as well. */
  isProven(serverFinal: Uint8Array | undefined): boolean {
    return Buffer.from(serverFinal ?? []).toString() === `v=${this.#serverSignature}`;
  }

  #hmac(key: Uint8Array, text: string): Buffer {
    return createHmac(this.#digest, key).update(text).digest();
  }
}
