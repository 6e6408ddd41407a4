import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A schema as its owner registers it. */
export interface RegistrySchema {
  readonly schema: string;
  /** @defaultValue `AVRO` */
  readonly schemaType?: 'AVRO' | 'PROTOBUF' | 'JSON';
  readonly references?: readonly {
    readonly name: string;
    readonly subject: string;
    readonly version: number;
  }[];
}

/** What becomes of a request: it is answered, never, or with a status of a server in trouble. */
export type RegistryMood = 'well' | 'hang' | 500 | 503;

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

interface Version extends RegistrySchema {
  readonly id: number;
}

const INT_MAX = 2_147_483_647;

const fault = (status: number, code: number, message: string): Reply => ({
  status,
  body: { error_code: code, message },
});

/**
 * A stand-in for a schema registry, which speaks the part of Confluent's REST interface that clients of records use.
 *
 * @remarks Schemas are not checked for compatibility, and only roughly for sense.
 */
export class SchemaRegistryServer {
  /** The requests that came, as `GET /subjects/a/versions/1`. */
  readonly requests: string[] = [];
  mood: RegistryMood = 'well';
  /** Who is let in, as `user:password`; undefined lets everybody in. */
  login: string | undefined;
  readonly #subjects = new Map<string, Version[]>();
  #ids = 0;
  #server: http.Server | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens, on the same port as before; what is registered stays. */
  async start(): Promise<void> {
    const server = http.createServer((request, response) => {
      void this.#serve(request, response);
    });
    this.#server = server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Ends every connection and listens no more. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  /** Registers a version as a client would. @returns the id of the schema. */
  register(subject: string, schema: RegistrySchema): number {
    const { status, body } = this.#register(subject, schema);
    if (status !== 200) throw new Error(JSON.stringify(body));
    return (body as { readonly id: number }).id;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.requests.push(`${method} ${url}`);
    if (this.mood === 'hang') return;
    const { status, body } = this.#reply(request, Buffer.concat(chunks).toString());
    response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' });
    response.end(JSON.stringify(body));
  }

  #reply({ method, url = '/', headers }: IncomingMessage, body: string): Reply {
    if (typeof this.mood === 'number') {
      return fault(this.mood, 50_001, 'Error in the backend data store');
    }
    const wanted = this.login && `Basic ${Buffer.from(this.login).toString('base64')}`;
    if (wanted !== undefined && headers.authorization !== wanted) {
      return fault(401, 401, 'Unauthorized');
    }
    const path = url.split('/').slice(1).map(decodeURIComponent);
    const [kind = '', name = '', what = '', which = ''] = path;
    const isPost = method === 'POST';
    const route = `${isPost ? 'POST ' : ''}${kind}${what === '' ? '' : `/${what}`}`;
    if (route === 'schemas' && name === 'types')
      return { status: 200, body: ['JSON', 'PROTOBUF', 'AVRO'] };
    if (route === 'schemas/' + what && name === 'ids') return this.#byId(Number(what));
    if (route === 'subjects/versions') return this.#byVersion(name, which);
    if (route === 'POST subjects/versions') {
      return this.#register(name, JSON.parse(body) as RegistrySchema);
    }
    if (route === 'POST subjects') return this.#find(name, JSON.parse(body) as RegistrySchema);
    if (route === 'subjects' && name === '')
      return { status: 200, body: [...this.#subjects.keys()] };
    return fault(404, 404, 'HTTP 404 Not Found');
  }

  #byId(wanted: number): Reply {
    const found = [...this.#subjects.values()].flat().find(({ id }) => id === wanted);
    if (found === undefined) return fault(404, 40_403, `Schema ${wanted} not found`);
    const { id: _id, ...schema } = found;
    return { status: 200, body: shown(schema) };
  }

  #byVersion(subject: string, wanted: string): Reply {
    const versions = this.#subjects.get(subject);
    if (versions === undefined) return fault(404, 40_401, `Subject '${subject}' not found.`);
    const version = wanted === 'latest' ? versions.length : Number(wanted);
    if (!(version >= 1 && version <= INT_MAX)) {
      return fault(422, 42_202, `The specified version '${wanted}' is not a valid version id.`);
    }
    const found = versions[version - 1];
    if (found === undefined) return fault(404, 40_402, `Version ${version} not found.`);
    return { status: 200, body: { subject, version, ...shown(found) } };
  }

  #register(subject: string, schema: RegistrySchema): Reply {
    if (!isSensible(schema)) return fault(422, 42_201, 'Invalid schema');
    const same = [...this.#subjects.values()].flat().find((other) => isSame(other, schema));
    const id = same?.id ?? (this.#ids += 1);
    const versions = this.#subjects.get(subject) ?? [];
    this.#subjects.set(subject, versions);
    if (!versions.some((other) => isSame(other, schema))) versions.push({ ...schema, id });
    return { status: 200, body: { id } };
  }

  #find(subject: string, schema: RegistrySchema): Reply {
    const versions = this.#subjects.get(subject);
    if (versions === undefined) return fault(404, 40_401, `Subject '${subject}' not found.`);
    const at = versions.findIndex((other) => isSame(other, schema));
    const found = versions[at];
    if (found === undefined) return fault(404, 40_403, 'Schema not found');
    return { status: 200, body: { subject, version: at + 1, ...shown(found) } };
  }
}

/** Starts a registry on a free loopback port. */
export async function startSchemaRegistry(): Promise<SchemaRegistryServer> {
  const server = new SchemaRegistryServer();
  await server.start();
  return server;
}

/** Avro is not named: clients of the first registries know nothing else. */
function shown<Schema extends RegistrySchema>({ schemaType, ...rest }: Schema): object {
  return schemaType === undefined || schemaType === 'AVRO' ? rest : { ...rest, schemaType };
}

function isSame(left: RegistrySchema, right: RegistrySchema): boolean {
  const identity = ({ schema, schemaType = 'AVRO', references = [] }: RegistrySchema): string =>
    JSON.stringify([schema, schemaType, references]);
  return identity(left) === identity(right);
}

function isSensible({ schema, schemaType = 'AVRO' }: RegistrySchema): boolean {
  if (schemaType === 'PROTOBUF') return schema.includes('message');
  try {
    return JSON.parse(schema) !== undefined;
  } catch {
    return false;
  }
}
