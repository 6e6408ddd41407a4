import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { ConfigError, type ListenerSettings } from '#libs/config';
import type { ListenerCertificate } from '../listener.ts';

/** The TLS settings of a listener. */
export type TlsSettings = NonNullable<ListenerSettings['tls']>;

/** What the files of a listener hold, checked. */
export interface TlsMaterial {
  readonly options: SecureContextOptions;
  /** Contexts by host name, for clients that ask for one. */
  readonly byName: ReadonlyMap<string, SecureContext>;
  /** When the first of the certificates ends. */
  readonly notAfterMs: number;
  /** Changes with whom the listener trusts. */
  readonly trust: string;
  /** Those that clients are shown. */
  readonly certificates: readonly ListenerCertificate[];
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Changes when one of the files does; costs no reading. */
export async function stampOf(settings: TlsSettings): Promise<string> {
  const own = [settings.certFile, settings.keyFile, settings.caFile, settings.crlFile];
  const files = [...own, ...settings.sni.flatMap(({ certFile, keyFile }) => [certFile, keyFile])];
  const stamps = files.map(async (file) => {
    const found = file === undefined ? undefined : await stat(file).catch(() => undefined);
    return found && `${found.ino} ${found.mtimeMs} ${found.size}`;
  });
  return (await Promise.all(stamps)).join('\n');
}

/**
 * Reads and checks the files of a listener: all of them or none.
 *
 * @param field - the key of its TLS settings.
 * @throws ConfigError naming the first that cannot be used; never with what it holds.
 */
export async function readTlsFiles(field: string, settings: TlsSettings): Promise<TlsMaterial> {
  const { caFile, crlFile, minVersion } = settings;
  const ca = caFile === undefined ? undefined : await readAuthorities(`${field}.caFile`, caFile);
  const crl = crlFile === undefined ? undefined : await readPem(`${field}.crlFile`, crlFile);
  const common = { minVersion, ...(ca && { ca }), ...(crl && { crl }) };
  const own = await readPair(field, settings);
  const options = { ...own.pair, ...common };
  checked(`${field}.crlFile`, 'is no revocation list', () => createSecureContext(options));
  const byName = new Map<string, SecureContext>();
  const certificates = [certificateOf(own.certificate, [])];
  for (const [index, further] of settings.sni.entries()) {
    const { pair, certificate } = await readPair(`${field}.sni[${index}]`, further);
    certificates.push(certificateOf(certificate, further.names));
    const context = createSecureContext({ ...pair, ...common });
    for (const name of further.names) byName.set(name, context);
  }
  const trust = createHash('sha256')
    .update(`${settings.clientCertificate}\n${ca ?? ''}\n${crl ?? ''}`)
    .digest('base64');
  const notAfterMs = Math.min(...certificates.map((each) => each.notAfterMs));
  return { options, byName, notAfterMs, trust, certificates };
}

function certificateOf(
  { subject, issuer, serialNumber, fingerprint256, validFrom, validTo }: X509Certificate,
  names: readonly string[],
): ListenerCertificate {
  return {
    names,
    // OpenSSL separates the parts of a name by line ends.
    subject: subject.replaceAll('\n', ', '),
    issuer: issuer.replaceAll('\n', ', '),
    serialNumber,
    fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
    notBeforeMs: Date.parse(validFrom),
    notAfterMs: Date.parse(validTo),
  };
}

interface Pair {
  readonly pair: { readonly cert: string; readonly key: string };
  readonly certificate: X509Certificate;
}

async function readPair(
  field: string,
  { certFile = '', keyFile = '' }: { readonly certFile?: string; readonly keyFile?: string },
): Promise<Pair> {
  const cert = await readPem(`${field}.certFile`, certFile);
  const key = await readPem(`${field}.keyFile`, keyFile);
  const certificate = checked(
    `${field}.certFile`,
    'holds no certificate',
    () => new X509Certificate(cert),
  );
  const privateKey = checked(`${field}.keyFile`, 'holds no private key without a passphrase', () =>
    createPrivateKey(key),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw fault(`${field}.keyFile`, 'does not belong to the certificate');
  }
  const now = Date.now();
  const notAfterMs = Date.parse(certificate.validTo);
  if (notAfterMs <= now) throw fault(`${field}.certFile`, `expired on ${certificate.validTo}`);
  if (Date.parse(certificate.validFrom) > now) {
    throw fault(`${field}.certFile`, `is not valid before ${certificate.validFrom}`);
  }
  return { pair: { cert, key }, certificate };
}

async function readAuthorities(field: string, file: string): Promise<string> {
  const text = await readPem(field, file);
  const blocks = text.match(BLOCK) ?? [];
  if (blocks.length === 0) throw fault(field, 'holds no certificate');
  for (const block of blocks) {
    checked(field, 'holds a damaged certificate', () => new X509Certificate(block));
  }
  return text;
}

async function readPem(field: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code = 'an error' } = error as NodeJS.ErrnoException;
    throw fault(field, `cannot be read (${code})`);
  }
}

function checked<Value>(field: string, problem: string, read: () => Value): Value {
  try {
    return read();
  } catch {
    throw fault(field, problem);
  }
}

function fault(field: string, problem: string): ConfigError {
  return new ConfigError([{ field, problem, fix: 'correct the file or its path' }]);
}
