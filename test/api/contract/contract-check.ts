import { hostname } from 'node:os';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { openApiDocument } from '#libs/api-contracts';

/** An operation as the document has it. */
export interface DocumentedOperation {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly DocumentedParameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, DocumentedContent>> };
  readonly responses: Readonly<Record<string, DocumentedResponse>>;
}

/** A parameter as the document has it. */
export interface DocumentedParameter {
  readonly in: 'path' | 'query' | 'header';
  readonly name: string;
  readonly required: boolean;
  readonly schema: JsonSchema;
  readonly example?: string;
}

/** A body as the document has it. */
export interface DocumentedContent {
  readonly schema: JsonSchema;
  readonly example?: unknown;
}

interface DocumentedResponse {
  readonly content?: Readonly<Record<string, DocumentedContent>>;
}

/** A schema as the document has it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What was asked for, and what was answered. */
export interface Exchanged {
  readonly method: string;
  /** Path and query, as they were sent. */
  readonly target: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
}

const INTERNALS: readonly RegExp[] = [
  /\bat \S.*\.[cm]?[jt]s:\d+/,
  /node_modules/,
  /file:\/\/\/\S*\.[jt]s/,
  /ECONN|EPIPE|ENOENT|EACCES/,
  /ReplyError|TypeError|RangeError|SyntaxError|ZodError/,
];

/** Statuses that a server gives before it knows which operation is meant. */
const BEFORE_ROUTING = new Set([400, 401, 403, 404, 405, 413, 414, 415, 429, 431, 503]);

/** Holds answers to the OpenAPI document. */
export class ContractCheck {
  readonly operations: readonly DocumentedOperation[];
  readonly schemas: Readonly<Record<string, JsonSchema>>;
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false });
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #hostName = hostname();

  constructor() {
    const document = closed(openApiDocument('0.0.0')) as {
      readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
      readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>>;
    };
    this.#ajv.addSchema({ $id: 'openapi', ...document });
    this.schemas = document.components.schemas;
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(
        ([method, operation]) =>
          ({ ...operation, method: method.toUpperCase(), path }) as DocumentedOperation,
      ),
    );
  }

  /** The operation of a request; fixed words of a path go before parameters. */
  operationOf(method: string, target: string): DocumentedOperation | undefined {
    const segments = (target.split(/[?#]/, 1)[0] ?? '').split('/');
    const wanted = method === 'HEAD' ? 'GET' : method;
    const fitting = this.operations.filter(({ path }) => {
      const template = path.split('/');
      return (
        template.length === segments.length &&
        template.every((part, at) =>
          part.startsWith('{') ? segments[at] !== '' : part === segments[at],
        )
      );
    });
    const fixed = (path: string) => path.split('/').map((part) => Number(part.startsWith('{')));
    const [best] = fitting.toSorted((a, b) =>
      String(fixed(a.path)) < String(fixed(b.path)) ? -1 : 1,
    );
    return fitting.find((each) => each.path === best?.path && each.method === wanted);
  }

  /** What of an answer is not as documented; empty when all is. */
  faultsOf(exchanged: Exchanged): readonly string[] {
    const { method, target, status, headers, text } = exchanged;
    const faults: string[] = [];
    for (const pattern of INTERNALS) {
      if (status >= 400 && pattern.test(text)) faults.push(`shows its inside: ${String(pattern)}`);
    }
    if (status >= 400 && this.#hostName.length > 4 && text.includes(this.#hostName)) {
      faults.push('names its host');
    }
    if ((headers['x-request-id'] ?? '') === '' && status !== 431)
      faults.push('has no x-request-id');
    const operation = this.operationOf(method, target);
    const documented = operation?.responses[String(status)];
    const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
    const isBodyless = method === 'HEAD' || status === 204 || status === 304;
    if (isBodyless) {
      if (text !== '') faults.push('has a body');
    } else if (status >= 400 && documented?.content?.[type ?? ''] === undefined) {
      faults.push(...this.#problemFaults(exchanged, type));
    } else if (documented !== undefined) {
      faults.push(
        ...this.#contentFaults(`${operation?.operationId ?? ''} ${status}`, documented, {
          type,
          text,
        }),
      );
    }
    if (operation === undefined ? status >= 500 : documented === undefined) {
      const isEarly = status >= 400 && BEFORE_ROUTING.has(status) && operation === undefined;
      if (!isEarly) faults.push(`the status ${status} is not documented`);
    }
    return faults;
  }

  #problemFaults(
    { status, headers, text }: Exchanged,
    type: string | undefined,
  ): readonly string[] {
    if (type !== 'application/problem+json') return [`a problem of the type ${type ?? 'none'}`];
    const value = parsed(text);
    const faults = this.#schemaFaults(
      'problem',
      { $ref: 'openapi#/components/schemas/Problem' },
      value,
    );
    const { status: told, request_id: id } = (value ?? {}) as {
      status?: unknown;
      request_id?: unknown;
    };
    if (told !== status) faults.push('the problem has another status');
    const sent = headers['x-request-id'];
    // A repetition gets the problem of the first request.
    const isFirst = headers['idempotency-replayed'] === undefined;
    if (isFirst && sent !== undefined && id !== sent)
      faults.push('the problem has another request id');
    return faults;
  }

  #contentFaults(
    name: string,
    { content }: DocumentedResponse,
    { type, text }: { readonly type: string | undefined; readonly text: string },
  ): readonly string[] {
    if (content === undefined) return text === '' ? [] : ['has a body that is not documented'];
    const documented = content[type ?? ''] ?? content['*/*'];
    if (documented === undefined) return [`the type ${type ?? 'none'} is not documented`];
    if (type === undefined || !/[/+]json$/.test(type)) return [];
    const { $ref } = documented.schema as { readonly $ref?: string };
    const schema = $ref === undefined ? documented.schema : { $ref: `openapi${$ref}` };
    return this.#schemaFaults(`${name} ${type}`, schema, parsed(text));
  }

  #schemaFaults(name: string, schema: JsonSchema, value: unknown): string[] {
    let validate = this.#validators.get(name);
    if (validate === undefined) {
      validate = this.#ajv.compile(schema);
      this.#validators.set(name, validate);
    }
    if (validate(value)) return [];
    const [error] = validate.errors ?? [];
    return [
      `${error?.instancePath ?? ''} ${error?.message ?? ''} ${JSON.stringify(error?.params)}`,
    ];
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A schema's objects take no fields that it does not name: what is not documented is found. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const made = Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, closed(inner)]),
  );
  const isOpen = made['type'] === 'object' && typeof made['properties'] === 'object';
  return isOpen && !('additionalProperties' in made)
    ? { ...made, additionalProperties: false }
    : made;
}
