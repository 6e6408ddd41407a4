import { randomUUID } from 'node:crypto';
import type { Random } from '../../fuzz/random.ts';
import type { DocumentedOperation, Exchanged, JsonSchema } from '../contract/contract-check.ts';
import type { RawRequest } from '../contract/raw-call.ts';
import { BROKEN_BODIES, HOSTILE_TEXTS } from './hostile-values.ts';
import { SchemaValues } from './schema-values.ts';

const KNOWN_MAX = 50;
const ID_FIELDS = ['id', 'client_id', 'name', 'topic', 'node'] as const;
const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'QUERY', 'PROPFIND'];
const TYPES = [
  ...['application/json', 'application/merge-patch+json', 'application/x-ndjson', 'text/plain'],
  ...['application/json; charset=utf-16', 'multipart/form-data', 'application/xml', 'x', '/', ''],
];
const ACCEPTS = [
  '*/*',
  'application/json',
  'text/html',
  'application/*;q=0',
  'a',
  '',
  'text/event-stream',
];
const HEADERS: readonly (readonly [string, string])[] = [
  ...([
    ['x-request-id', 'a b"'],
    ['x-request-id', 'x'.repeat(500)],
    ['x-request-id', 'fine-1'],
  ] as const),
  ...([
    ['traceparent', '00-x'],
    ['range', 'bytes=0-1'],
    ['expect', 'a'],
    ['origin', 'http://evil'],
  ] as const),
  ...([
    ['content-encoding', 'gzip'],
    ['x-forwarded-for', '1.1.1.1'],
    ['host', 'a b'],
  ] as const),
  ...([
    ['last-event-id', 'x'],
    ['last-event-id', '../..'],
    ['idempotency-key', ' '],
  ] as const),
  ...([
    ['idempotency-key', 'x'.repeat(129)],
    ['x-http-method-override', 'DELETE'],
  ] as const),
];

/** What is known of a cluster from its answers: ids, tags and cursors to ask on with. */
class Known {
  readonly ids = new Map<string, string[]>();
  readonly etags: string[] = ['"1"', '"0"', '"99"', 'W/"1"', '*', 'x', '""', '"1", "2"', '"'];
  readonly cursors: string[] = ['x', 'AAAA', `${'A'.repeat(300)}`, '%00', '....'];

  learn({ target, headers, text, status }: Exchanged): void {
    if (headers['etag'] !== undefined) push(this.etags, headers['etag']);
    const { location } = headers;
    if (status === 201 && location !== undefined) {
      const at = location.lastIndexOf('/') + 1;
      this.#id(location.slice(0, at), decodeURIComponent(location.slice(at)));
    }
    if (status !== 200 || !text.startsWith('{"items"') || text.length > 100_000) return;
    const { items, page } = JSON.parse(text) as {
      readonly items: readonly unknown[];
      readonly page?: { readonly next_cursor?: string };
    };
    if (page?.next_cursor !== undefined) push(this.cursors, page.next_cursor);
    const prefix = `${target.split('?', 1)[0] ?? ''}/`;
    for (const item of items.slice(0, 5)) {
      const named = ID_FIELDS.map((name) => (item as Record<string, unknown> | null)?.[name]);
      const id = named.find((each) => typeof each === 'string');
      if (typeof id === 'string') this.#id(prefix, id);
    }
  }

  #id(prefix: string, id: string): void {
    const list = this.ids.get(prefix) ?? [];
    this.ids.set(prefix, list);
    if (!list.includes(id)) push(list, id);
  }
}

function push(list: string[], value: string): void {
  list.push(value);
  if (list.length > KNOWN_MAX) list.splice(0, 1);
}

/** Makes requests from what is documented: right ones, and ones with a few things wrong. */
export class RequestMaker {
  readonly #known = new Known();
  readonly #schemas: Readonly<Record<string, JsonSchema>>;
  readonly #authorization: string;

  constructor(schemas: Readonly<Record<string, JsonSchema>>, authorization: string) {
    this.#schemas = schemas;
    this.#authorization = authorization;
  }

  /** Remembers what an answer tells. */
  learn(exchanged: Exchanged): void {
    this.#known.learn(exchanged);
  }

  /** A request to an operation; of three in four something is wrong. */
  make(operation: DocumentedOperation, random: Random): RawRequest {
    const values = new SchemaValues(random, this.#schemas);
    const wrong = random.oneIn(4) ? 0 : 1 + random.below(2);
    const faults = new Set(Array.from({ length: wrong }, () => random.below(6)));
    const path = this.#path(operation, random, faults.has(0));
    const query = this.#query(operation, random, faults.has(1));
    const headers = this.#headers(operation, random, faults.has(2));
    const body = this.#body(operation, { random, values, isWrong: faults.has(3) || faults.has(4) });
    const method = faults.has(5) && random.oneIn(4) ? random.pick(METHODS) : operation.method;
    const isTyped = body !== undefined && headers['content-type'] === undefined;
    const [type = 'application/json'] = Object.keys(operation.requestBody?.content ?? {});
    return {
      ...{ method, target: query === '' ? path : `${path}?${query}`, body },
      headers: { ...headers, ...(isTyped && { 'content-type': type }) },
    };
  }

  #path({ path, parameters }: DocumentedOperation, random: Random, isWrong: boolean): string {
    let made = '';
    for (const part of path.split(/(\{\w+\})/)) {
      const name = part.startsWith('{') ? part.slice(1, -1) : undefined;
      if (name === undefined) {
        made += part;
        continue;
      }
      const known = this.#known.ids.get(made);
      const example = parameters.find((each) => each.in === 'path' && each.name === name)?.example;
      const isKnown = known !== undefined && known.length > 0 && !random.oneIn(3);
      const value = isKnown ? random.pick(known) : (example ?? 'x');
      if (!isWrong) made += encoded(value);
      else
        made += random.oneIn(4)
          ? random.pick(['.', '..', '%2e%2e', '%', '%zz', '%E0%A4', ''])
          : encoded(random.pick(HOSTILE_TEXTS));
    }
    return made;
  }

  #query({ parameters }: DocumentedOperation, random: Random, isWrong: boolean): string {
    const values = new SchemaValues(random, this.#schemas);
    const pairs: string[] = [];
    for (const { in: place, name, required, schema, example } of parameters) {
      if (place !== 'query' || !(required || random.oneIn(4))) continue;
      const usual = example ?? (name === 'cursor' ? random.pick(this.#known.cursors) : undefined);
      const isOdd = isWrong && random.oneIn(2);
      const fitting = usual === undefined || random.oneIn(3) ? values.fitting(schema) : usual;
      const value = isOdd
        ? random.pick(HOSTILE_TEXTS).slice(0, 20_000)
        : String(fitting).slice(0, 20_000);
      pairs.push(`${encodeURIComponent(name)}=${encoded(value)}`);
      if (isWrong && random.oneIn(10)) pairs.push(`${encodeURIComponent(name)}=again`);
      if (isWrong && random.oneIn(10)) pairs.push(`${encodeURIComponent(`${name}[x]`)}=1`);
    }
    if (isWrong && random.oneIn(3)) {
      const odd = [
        'x=1',
        '__proto__=1',
        'limit=1e9',
        'limit=-1',
        'limit=99999999999999999999',
        'cursor=',
        '=',
        '&&',
        '%',
        'a[b][c]=1',
        'constructor=1',
      ];
      pairs.push(random.pick(odd));
    }
    return pairs.join('&');
  }

  #headers(
    { method, parameters }: DocumentedOperation,
    random: Random,
    isWrong: boolean,
  ): Record<string, string> {
    const headers: Record<string, string> = { authorization: this.#authorization };
    for (const { in: place, name } of parameters) {
      if (place !== 'header') continue;
      const key = name.toLowerCase();
      if (key === 'if-match') headers[key] = random.oneIn(2) ? '*' : random.pick(this.#known.etags);
      else if (key === 'if-none-match' && random.oneIn(3))
        headers[key] = random.pick(this.#known.etags);
      else if (key === 'idempotency-key' && random.oneIn(5)) headers[key] = randomUUID();
    }
    if (!isWrong) return headers;
    const kind = random.below(6);
    if (kind === 0) headers['content-type'] = random.pick(TYPES);
    else if (kind === 1) headers['accept'] = random.pick(ACCEPTS);
    else if (kind === 2) delete headers['if-match'];
    else if (kind === 3) headers['if-match'] = random.pick(this.#known.etags);
    else if (kind === 4 && random.oneIn(4))
      headers['authorization'] = random.pick(['', 'Bearer', 'Bearer x', 'Basic Og==', 'Digest a']);
    else {
      const [name, value] = random.pick(HEADERS);
      if (name !== 'idempotency-key' || method === 'POST') headers[name] = value;
    }
    return headers;
  }

  #body(
    { requestBody, operationId }: DocumentedOperation,
    {
      random,
      values,
      isWrong,
    }: { readonly random: Random; readonly values: SchemaValues; readonly isWrong: boolean },
  ): string | undefined {
    const [content] = Object.values(requestBody?.content ?? {});
    if (content === undefined)
      return isWrong && random.oneIn(4) ? random.pick(BROKEN_BODIES.slice(0, 30)) : undefined;
    if (isWrong && random.oneIn(4)) return random.pick(BROKEN_BODIES);
    const usual = random.oneIn(2) ? content.example : values.fitting(content.schema);
    const value = isWrong ? values.spoiled(usual) : usual;
    return JSON.stringify(patient(operationId, value));
  }
}

/** What would wait for a minute waits for a second. */
function patient(operationId: string, value: unknown): unknown {
  if (operationId !== 'requestMessage' || typeof value !== 'object' || value === null) return value;
  const { timeout_seconds: seconds } = value as { readonly timeout_seconds?: unknown };
  const isLong =
    seconds === undefined || (typeof seconds === 'number' && seconds > 1 && seconds <= 60);
  return isLong ? { ...value, timeout_seconds: 1 } : value;
}

function encoded(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    return '%ED%A0%80';
  }
}
