import { copyFile } from 'node:fs/promises';
import { TestAuthority } from '#libs/testkit';
import type { Scope } from '../e2e/harness/scope.ts';
import type { Settings } from '../e2e/harness/app.ts';

const DAY_MS = 86_400_000;
const FRESH_DAYS = 90;

/** The certificate of a listener, which nodes read anew when its files change. */
export class ListenerCertificate {
  readonly #authority: TestAuthority;

  private constructor(authority: TestAuthority) {
    this.#authority = authority;
  }

  /** One that has months to go; its files go with the scope. */
  static async make(scope: Scope): Promise<ListenerCertificate> {
    const authority = await TestAuthority.create();
    scope.add(() => authority.remove());
    const certificate = new ListenerCertificate(authority);
    await certificate.renew();
    return certificate;
  }

  /** The settings of a TLS listener that shows it. */
  settings(port: number): Settings {
    return {
      LISTENERS_TLS_ENABLED: 'true',
      LISTENERS_TLS_PORT: port,
      LISTENERS_TLS_TLS_CERT_FILE: this.#authority.path('listener.pem'),
      LISTENERS_TLS_TLS_KEY_FILE: this.#authority.path('listener.key'),
    };
  }

  /** Puts another one in its place that ends in so many days. */
  async renew(days = FRESH_DAYS): Promise<void> {
    const end = new Date(Date.now() + days * DAY_MS).toISOString();
    const { certFile, keyFile } = await this.#authority.issue({
      commonName: 'broker',
      names: 'IP:127.0.0.1',
      endDate: `${end.replaceAll(/[-:T]/g, '').slice(2, 14)}Z`,
    });
    await copyFile(keyFile, this.#authority.path('listener.key'));
    await copyFile(certFile, this.#authority.path('listener.pem'));
  }
}
