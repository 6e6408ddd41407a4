import { readFileSync } from 'node:fs';
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { SchemaFormat, SchemaRegistry, SecretReference } from '#libs/broker-ports';
import { SchemaError, type RegisteredSchema, type SchemaReference } from './codec.ts';

/** Reads a secret as it is now; throws when it cannot. */
export type ReadSecret = (reference: SecretReference) => string;

/**
 * The registry did not give what was asked for.
 *
 * @remarks `UNAVAILABLE`: ask again. `NOT_FOUND`: it has no such subject, version or schema.
 */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly code: 'UNAVAILABLE' | 'NOT_FOUND';

  constructor(code: RegistryError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

interface ReferenceDocument {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

interface SchemaDocument {
  readonly id: number;
  readonly schema: string;
  readonly schemaType: string;
  readonly references: readonly ReferenceDocument[];
}

const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
/** Most schemas that one may refer to, directly or not. */
const REFERENCES_MAX = 100;
const FORMATS: Readonly<Record<string, SchemaFormat>> = {
  AVRO: 'avro',
  PROTOBUF: 'protobuf',
  JSON: 'json-schema',
};

/** Asks a schema registry by its REST interface. Never writes. Secrets and files are read for every request. */
export class RegistryClient {
  readonly #registry: SchemaRegistry;
  readonly #readSecret: ReadSecret;
  readonly #underWay = new Set<ClientRequest>();
  #closed = false;

  constructor(registry: SchemaRegistry, readSecret: ReadSecret) {
    this.#registry = registry;
    this.#readSecret = readSecret;
  }

  /**
   * Asks what schemas it takes: whether it is there and lets us in.
   *
   * @throws RegistryError
   */
  async types(): Promise<readonly string[]> {
    const types = await this.#get('schemas/types');
    if (!Array.isArray(types)) throw new RegistryError('UNAVAILABLE', this.#strange());
    return types.map(String);
  }

  /**
   * The schema of an id, which never changes.
   *
   * @throws RegistryError
   * @throws SchemaError when what it gives is no schema for us.
   */
  async byId(id: number): Promise<RegisteredSchema> {
    return this.#complete({ ...(await this.#document(`schemas/ids/${id}`)), id });
  }

  /**
   * A version of a subject.
   *
   * @throws RegistryError
   * @throws SchemaError when what it gives is no schema for us.
   */
  async byVersion(subject: string, version: 'latest' | number): Promise<RegisteredSchema> {
    return this.#complete(await this.#version(subject, version));
  }

  /** Gives up what is under way. */
  close(): void {
    this.#closed = true;
    for (const request of this.#underWay) request.destroy(new Error('closed'));
  }

  async #version(subject: string, version: 'latest' | number): Promise<SchemaDocument> {
    const path = `subjects/${encodeURIComponent(subject)}/versions/${version}`;
    const { id, ...document } = await this.#document(path);
    if (typeof id !== 'number') throw new RegistryError('UNAVAILABLE', this.#strange());
    return { ...document, id };
  }

  async #complete(document: SchemaDocument): Promise<RegisteredSchema> {
    const format = FORMATS[document.schemaType];
    if (format === undefined) {
      throw new SchemaError(`schema ${document.id} is of the unknown type ${document.schemaType}`);
    }
    const references: SchemaReference[] = [];
    await this.#collect(document.references, references, new Set());
    return { id: document.id, format, text: document.schema, references };
  }

  /** Adds what is referred to, each after what it refers to itself. */
  async #collect(
    references: readonly ReferenceDocument[],
    found: SchemaReference[],
    seen: Set<string>,
  ): Promise<void> {
    for (const { name, subject, version } of references) {
      if (seen.has(name)) continue;
      if (seen.size >= REFERENCES_MAX) throw new SchemaError('the schema refers to too many');
      seen.add(name);
      const other = await this.#version(subject, version);
      await this.#collect(other.references, found, seen);
      found.push({ name, text: other.schema });
    }
  }

  async #document(
    path: string,
  ): Promise<Omit<SchemaDocument, 'id'> & { readonly id: number | undefined }> {
    const answer = (await this.#get(path)) as Partial<SchemaDocument> | null;
    const { id, schema, schemaType = 'AVRO', references = [] } = answer ?? {};
    if (typeof schema !== 'string' || !Array.isArray(references)) {
      throw new RegistryError('UNAVAILABLE', this.#strange());
    }
    return { id, schema, schemaType, references };
  }

  async #get(path: string): Promise<unknown> {
    let answer: Answer;
    try {
      answer = await this.#exchange(path);
    } catch (error) {
      const { message, code } = error as { readonly message?: unknown; readonly code?: unknown };
      throw new RegistryError('UNAVAILABLE', `schema registry: ${String(message || code)}`);
    }
    const content = contentOf(answer.text);
    if (answer.status === 200) return content;
    const { error_code: code, message } = (content ?? {}) as {
      readonly error_code?: unknown;
      readonly message?: unknown;
    };
    const said = typeof message === 'string' ? message.slice(0, 200) : `status ${answer.status}`;
    // A server that is no registry answers 404 as well, without a code.
    const isAbsent = answer.status === 404 && typeof code === 'number' && code > 404;
    throw new RegistryError(isAbsent ? 'NOT_FOUND' : 'UNAVAILABLE', `schema registry: ${said}`);
  }

  #exchange(path: string): Promise<Answer> {
    const { url, timeoutMs } = this.#registry;
    const target = new URL(path, url.endsWith('/') ? url : `${url}/`);
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new Error('closed');
      const request = (target.protocol === 'https:' ? https : http).get(target, {
        agent: false,
        headers: { accept: 'application/vnd.schemaregistry.v1+json, application/json' },
        ...this.#access(),
      });
      this.#underWay.add(request);
      const timer = setTimeout(() => {
        request.destroy(new Error(`no answer within ${timeoutMs} ms`));
      }, timeoutMs);
      request.once('response', (response) => {
        textOf(response, request).then(
          (text) => resolve({ status: response.statusCode ?? 0, text }),
          reject,
        );
      });
      request.once('error', reject);
      request.once('close', () => {
        clearTimeout(timer);
        this.#underWay.delete(request);
        reject(new Error('the connection was closed'));
      });
    });
  }

  #access(): { readonly auth?: string; readonly ca?: Buffer } {
    const { username, password, caFile } = this.#registry;
    return {
      ...(username === undefined || password === undefined
        ? {}
        : { auth: `${username}:${this.#readSecret(password)}` }),
      ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
    };
  }

  #strange(): string {
    return `schema registry: what answers at ${this.#registry.url} is none`;
  }
}

async function textOf(response: IncomingMessage, request: ClientRequest): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes > ANSWER_BYTES_MAX) {
      request.destroy();
      throw new Error('the answer is too large');
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

function contentOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
