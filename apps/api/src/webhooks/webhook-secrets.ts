import { hkdfSync } from 'node:crypto';
import { decipher, encipher } from '../http/cipher.ts';

const PREFIX = 'whsec_';

/** Keeps what requests are signed with: enciphered under a key that is made of what the replicas share. */
export class WebhookSecrets {
  readonly #load: () => Promise<string>;

  /** @param load - what the replicas share. */
  constructor(load: () => Promise<string>) {
    this.#load = load;
  }

  /** What is kept of a secret, `whsec_` and base64. */
  async seal(secret: string): Promise<string> {
    return encipher(secret.slice(PREFIX.length), await this.#key());
  }

  /** The bytes of a secret. @throws Error when what the replicas share has been replaced since. */
  async open(sealed: string): Promise<Buffer> {
    const key = await this.#key();
    try {
      return Buffer.from(decipher(sealed, key), 'base64');
    } catch {
      throw new Error('the secret cannot be read since api.key was replaced; set it again');
    }
  }

  async #key(): Promise<Buffer> {
    return Buffer.from(hkdfSync('sha256', await this.#load(), '', 'skein-webhook-secrets', 32));
  }
}
