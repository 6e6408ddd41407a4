import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Where the PEM files of a certificate are. */
export interface TestCertificate {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What is to be certified. */
export interface TestSubject {
  readonly commonName: string;
  /** As OpenSSL writes them. @defaultValue `DNS:` and the common name */
  readonly names?: string;
  /** When it ends, as `YYMMDDHHMMSSZ`. @defaultValue in two days */
  readonly endDate?: string;
}

/** A certificate authority of a test, made with openssl: ECDSA P-256, certificates of any end, revocation. */
export class TestAuthority {
  readonly directory: string;
  #issued = 0;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Makes an authority in a directory of its own. @throws Error when openssl is missing. */
  static async create(name = 'skein test authority'): Promise<TestAuthority> {
    const authority = new TestAuthority(await mkdtemp(join(tmpdir(), 'skein-ca-')));
    const { directory } = authority;
    const config = `[ca]\ndefault_ca=own\n[own]\ndatabase=${directory}/index\nnew_certs_dir=${directory}
rand_serial=yes\ndefault_md=sha256\ndefault_days=2\ndefault_crl_days=2\npolicy=any\nunique_subject=no
[any]\ncommonName=supplied\n`;
    await writeFile(authority.path('ca.cnf'), config);
    await writeFile(authority.path('index'), '');
    const files = ['-keyout', authority.path('ca.key'), '-out', authority.caFile];
    await openssl('req', '-x509', ...KEY, ...files, '-days', '2', '-subj', `/CN=${name}`);
    return authority;
  }

  /** Its own certificate. */
  get caFile(): string {
    return this.path('ca.pem');
  }

  /** A file in its directory, which goes with it. */
  path(file: string): string {
    return join(this.directory, file);
  }

  /** Certifies a new key. */
  async issue({ commonName, names, endDate }: TestSubject): Promise<TestCertificate> {
    this.#issued += 1;
    const file = (kind: string): string => this.path(`${this.#issued}.${kind}`);
    const paths = { certFile: file('pem'), keyFile: file('key') };
    const request = ['-keyout', paths.keyFile, '-out', file('csr'), '-subj', `/CN=${commonName}`];
    await openssl('req', ...KEY, ...request);
    await writeFile(file('ext'), `subjectAltName=${names ?? `DNS:${commonName}`}\n`);
    const dates = endDate === undefined ? [] : ['-startdate', '200101000000Z', '-enddate', endDate];
    const output = ['-in', file('csr'), '-out', paths.certFile, '-extfile', file('ext')];
    await this.#ca('-batch', '-notext', ...output, ...dates);
    return paths;
  }

  /** Takes a certificate back; crl() tells. */
  async revoke({ certFile }: TestCertificate): Promise<void> {
    await this.#ca('-revoke', certFile);
  }

  /** Writes the revocation list. */
  async crl(file: string): Promise<void> {
    await this.#ca('-gencrl', '-out', file);
  }

  /** Removes all its files. */
  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true });
  }

  #ca(...args: readonly string[]): Promise<void> {
    const own = ['-config', this.path('ca.cnf'), '-cert', this.caFile];
    return openssl('ca', ...own, '-keyfile', this.path('ca.key'), ...args);
  }
}

async function openssl(...args: readonly string[]): Promise<void> {
  await promisify(execFile)('openssl', args);
}
