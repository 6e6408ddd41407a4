import { saslprep, type AuthSource, type Login, type SourceVerdict } from '#libs/access';

/** Which name of a certificate is the user's. */
export type CertificateName = 'commonName' | 'dns' | 'uri' | 'email';

const PREFIXES = { dns: 'DNS:', uri: 'URI:', email: 'email:' } as const;

/**
 * Certificates that the TLS handshake has found valid.
 *
 * @remarks Of several names of a kind none is the user's: it would depend on their order who the client is.
 */
export class CertificateSource implements AuthSource {
  readonly backend = 'certificate';
  readonly #name: CertificateName;

  constructor(name: CertificateName) {
    this.#name = name;
  }

  /** Reads the name; a client without a certificate, or with one that has no such name, is not its own. */
  login({ certificate, username }: Login): Promise<SourceVerdict> {
    return Promise.resolve(this.#judge(certificate, username));
  }

  #judge(certificate: Login['certificate'], username: string | undefined): SourceVerdict {
    const name = certificate && nameOf(certificate, this.#name);
    if (name === undefined) return { kind: 'not-mine' };
    const user = saslprep(name);
    if (user.kind === 'refused' || user.text === '') {
      return { kind: 'denied', detail: 'the name of the certificate can be nobody’s' };
    }
    const shown = username === undefined ? undefined : saslprep(username);
    if (shown !== undefined && !(shown.kind === 'prepared' && shown.text === user.text)) {
      return { kind: 'denied', detail: 'the user name is not that of the certificate' };
    }
    const { notAfterMs: expiresAtMs } = certificate ?? {};
    return {
      kind: 'allowed',
      identity: { user: user.text, ...(expiresAtMs !== undefined && { expiresAtMs }) },
    };
  }
}

function nameOf(
  { commonName, sans }: NonNullable<Login['certificate']>,
  name: CertificateName,
): string | undefined {
  if (name === 'commonName') return commonName;
  const prefix = PREFIXES[name];
  const names = sans.filter((san) => san.startsWith(prefix));
  return names.length === 1 ? names[0]?.slice(prefix.length) : undefined;
}
