import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Log } from '#libs/broker-ports';
import { WebhookClient, placeFault } from '#libs/webhook-client';
import type { OpenedSource, SourceFault } from '../source-fault.ts';
import { fetchText } from './fetch-text.ts';
import { PUBLIC_ALGORITHMS, SECRET_ALGORITHMS, algorithmsOf } from './jwt-algorithms.ts';
import { JwtSource, type JwtSourceParts } from './jwt-source.ts';
import { KeySet } from './key-set.ts';

/** Where the key of tokens is: exactly one of the first four. */
export interface JwtKeySettings {
  /** The secret itself, for HS256, HS384 and HS512. */
  readonly secret?: string | undefined;
  /** A public key or a certificate in PEM. */
  readonly keyFile?: string | undefined;
  readonly jwksFile?: string | undefined;
  readonly jwksUrl?: string | undefined;
  /** Whether the server of the URL has to be one of the internet. */
  readonly isPublicOnly?: boolean | undefined;
  /** Fewer than the key allows. */
  readonly algorithms?: readonly string[] | undefined;
  readonly refreshMs: number;
  readonly timeoutMs: number;
}

type FoundKey = { readonly key: KeyObject; readonly algorithms: readonly string[] } | SourceFault;

/** RFC 7518, section 3.2: as long as the hash of HS256. */
const SECRET_BYTES_MIN = 32;

/** Makes a source of tokens; keys of a set are read when the first token comes, and again when they are due. */
export async function openJwtSource(
  settings: JwtKeySettings,
  meaning: Omit<JwtSourceParts, 'key' | 'algorithms' | 'refresh'>,
  log: Log,
): Promise<OpenedSource<JwtSource>> {
  const { secret, keyFile, jwksFile, jwksUrl, refreshMs, timeoutMs } = settings;
  const found =
    secret !== undefined
      ? secretKey(secret)
      : keyFile !== undefined
        ? await fileKey(keyFile)
        : undefined;
  if (found !== undefined && 'field' in found) return { kind: 'faulty', fault: found };
  const possible = found?.algorithms ?? PUBLIC_ALGORITHMS;
  const algorithms = settings.algorithms ?? possible;
  const odd = algorithms.find((algorithm) => !possible.includes(algorithm));
  if (odd !== undefined) {
    const problem = `holds ${odd}, and the key is for ${possible.join(', ')}`;
    return { kind: 'faulty', fault: { field: 'algorithms', problem, fix: 'remove it' } };
  }
  if (found !== undefined) {
    return { kind: 'opened', source: new JwtSource({ ...meaning, key: found.key, algorithms }) };
  }
  if (settings.isPublicOnly === true && jwksUrl !== undefined) {
    const fault = placeFault(new URL(jwksUrl));
    const fix = 'name a server of the internet, by https:';
    if (fault !== undefined)
      return { kind: 'faulty', fault: { field: 'jwksUrl', problem: fault.problem, fix } };
  }
  const set = new KeySet({
    nowMs: meaning.nowMs,
    refreshMs,
    load: () =>
      jwksFile !== undefined
        ? readFile(jwksFile, 'utf8')
        : settings.isPublicOnly === true
          ? publicText(jwksUrl ?? '', timeoutMs)
          : fetchText(jwksUrl ?? '', timeoutMs),
    changed: () => {
      source.forget();
      log.info('token-keys-changed', {});
    },
    failed: (reason) => log.warn('token-keys-unread', { reason }),
  });
  const source: JwtSource = new JwtSource({
    ...meaning,
    key: set.find,
    algorithms,
    refresh: () => set.refresh(),
  });
  return { kind: 'opened', source };
}

/** As fetchText(), of servers of the internet only. */
async function publicText(url: string, timeoutMs: number): Promise<string> {
  const endpoint = { url: new URL(url), ca: undefined, allowPrivate: false, timeoutMs };
  const client = new WebhookClient(endpoint);
  try {
    const { status, text } = await client.get();
    if (status !== 200) throw new Error(`the server answered ${String(status)}`);
    return text;
  } finally {
    client.close();
  }
}

function secretKey(secret: string): FoundKey {
  const field = 'secret';
  if (secret.startsWith('-----BEGIN')) {
    const fix = 'name the file as keyFile';
    return { field, problem: 'is a key in PEM, and no secret', fix };
  }
  const bytes = Buffer.from(secret);
  if (bytes.length < SECRET_BYTES_MIN) {
    const fix = 'take a random one, of at least 32';
    return { field, problem: 'has fewer than 32 bytes', fix };
  }
  return { key: createSecretKey(bytes), algorithms: SECRET_ALGORITHMS };
}

async function fileKey(path: string): Promise<FoundKey> {
  const field = 'keyFile';
  const fix = 'name a PEM file with an RSA, EC or Ed25519 public key, or a certificate';
  const pem = await readFile(path, 'utf8').catch(() => undefined);
  if (pem === undefined) return { field, problem: 'cannot be read', fix };
  try {
    const key = createPublicKey(pem);
    const algorithms = algorithmsOf(key);
    if (algorithms.length === 0) return { field, problem: 'holds a key of another kind', fix };
    return { key, algorithms };
  } catch {
    return { field, problem: 'holds no public key', fix };
  }
}
