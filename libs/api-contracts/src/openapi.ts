import { z } from 'zod';
import { JSON_TYPE, REQUEST_HEAD_BYTES_MAX, type Operation, type Reply } from './operation.ts';
import { OPERATIONS } from './operations.ts';
import { PROBLEMS, problemSchema, type ProblemCode } from './problem.ts';
import { SCHEMAS, SCHEMA_REFERENCE } from './schema.ts';

/** A JSON object of the document. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What the groups of operations are about. */
const TAGS: Readonly<Record<string, string>> = {
  Cluster: 'The cluster and its nodes.',
  System: 'What runs, and whether it is well.',
  Drains: 'Sending clients away from nodes, and keeping them away.',
  Listeners: 'Where clients connect, and the certificates that they are shown there.',
  Clients: 'Clients, connected or not, and what belongs to each.',
  Sessions: 'What the broker keeps of clients.',
  Subscriptions: 'Who receives what.',
  Topics: 'What topics there are, and what is counted of them.',
  Alarms: 'What nodes find wrong with themselves.',
  Statistics: 'The cluster in figures, now and in the past.',
  Streams: 'What happens, as it happens.',
  Webhooks: 'Who is told by HTTP of what happens.',
  Backups: 'Files that bring a cluster back.',
  Traces: 'What single clients do, packet by packet.',
  Messages: 'Publishing, and messages that the cluster keeps.',
  Bridge: 'What is carried to and from other systems, and by which rules.',
  Access: 'Who may connect, and who may do what.',
  Administrators: 'Who may use the API, and for what.',
  Operations: 'What takes longer than a request: how far it is, and what it came to.',
  Configuration: 'What is set, and what is defined over REST as a whole.',
  Documents: 'The API about itself.',
};

const INT32_MAX = 2 ** 31 - 1;

/** What any operation that needs a key may answer. */
const GUARDED: readonly ProblemCode[] = [
  ...(['unauthenticated', 'expired-credential', 'forbidden', 'ip-not-allowed'] as const),
  ...(['rate-limited', 'storage-unavailable'] as const),
];
const ANY: readonly ProblemCode[] = ['validation-failed', 'head-too-large', 'internal'];

/**
 * Makes the OpenAPI 3.1 document of the API from the table of operations.
 *
 * @remarks All schemas describe what is sent or may be left out, so a request's defaulted field is optional.
 */
export function openApiDocument(version: string): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {};
  for (const [operationId, operation] of Object.entries(OPERATIONS)) {
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method]: operationObject(operationId, operation),
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Skein admin API',
      version,
      description: 'Looks into and steers a Skein cluster.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [
      {
        url: '/',
        description: 'The API that serves this document.',
        // For those who run the cluster, not for its clients.
        'x-internal': true,
      },
    ],
    tags: [...new Set(Object.values<Operation>(OPERATIONS).map(({ tag }) => tag))].map(tagObject),
    paths,
    components: {
      schemas: componentSchemas(),
      headers: componentHeaders(),
      securitySchemes: {
        apiKey: {
          type: 'http',
          scheme: 'bearer',
          description:
            'An API key, or a token of the issuer that the API trusts. A key is taken by Basic too: its id as the user, its secret as the password.',
        },
      },
    },
    security: [{ apiKey: [] }],
  };
}

function tagObject(name: string): JsonObject {
  const description = TAGS[name];
  return description === undefined ? { name } : { name, description };
}

/** A parameter of an operation as the document has it. */
export interface ParameterObject {
  readonly in: string;
  readonly name: string;
  readonly description?: string;
  readonly required: boolean;
  readonly schema: JsonObject;
}

/** The parameters of an operation's path, query and head, for what asks people for them. */
export function parametersOf(operation: Operation): readonly ParameterObject[] {
  return parameters(operation) as unknown as readonly ParameterObject[];
}

function operationObject(operationId: string, operation: Operation): JsonObject {
  const { body, example } = operation;
  return {
    operationId,
    tags: [operation.tag],
    summary: operation.summary,
    ...(operation.description === undefined ? {} : { description: operation.description }),
    ...access(operation.scope),
    ...(operation.alsoNeeds === undefined ? {} : { 'x-also-required-scopes': operation.alsoNeeds }),
    parameters: parameters(operation),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: Object.fromEntries(
              [operation.bodyType ?? JSON_TYPE, ...(operation.otherBodyTypes ?? [])].map((type) => [
                type,
                { schema: reference(body), example: example.body },
              ]),
            ),
          },
        }),
    responses: limited(operation, { ...successes(operation), ...failures(operation) }),
  };
}

function access(scope: Operation['scope']): JsonObject {
  if (scope === 'none') return { security: [] };
  return scope === 'any' ? { 'x-any-credential': true } : { 'x-required-scope': scope };
}

function parameters(operation: Operation): readonly JsonObject[] {
  const { example } = operation;
  return [
    ...fields(operation.pathParameters).map(({ name, schema }) => ({
      ...parameter('path', name, schema),
      required: true,
      example: example.path?.[name],
    })),
    ...fields(operation.query).map(({ name, schema, required }) => ({
      ...parameter('query', name, schema),
      required,
      ...(example.query?.[name] === undefined ? {} : { example: example.query[name] }),
    })),
    ...Object.entries(headersOf(operation)).map(([name, description]) => ({
      in: 'header',
      name,
      description,
      required: false,
      schema: bounded({ type: 'string' }),
    })),
  ];
}

const IDEMPOTENCY_KEY =
  '1 to 128 visible ASCII characters, best a UUID. The same request under the same key is carried out once within 24 hours; a repetition gets the first answer, with `Idempotency-Replayed: true`.';

/** Whether a repetition of an operation can be told from another request. */
function takesKey({ method, scope }: Operation): boolean {
  return method === 'post' && scope !== 'none';
}

function headersOf(operation: Operation): Readonly<Record<string, string>> {
  return {
    ...operation.headers,
    ...(takesKey(operation) && { 'Idempotency-Key': IDEMPOTENCY_KEY }),
  };
}

function parameter(place: string, name: string, schema: JsonObject): JsonObject {
  const { description, ...rest } = schema;
  return {
    in: place,
    name,
    ...(description === undefined ? {} : { description }),
    schema: bounded(rest),
  };
}

/** Parameters stand in the head of a request, which has a bound of its own. */
function bounded(schema: JsonObject): JsonObject {
  const isBound = schema['maxLength'] !== undefined || schema['enum'] !== undefined;
  return schema['type'] !== 'string' || isBound
    ? schema
    : { ...schema, maxLength: REQUEST_HEAD_BYTES_MAX };
}

function fields(object: z.ZodObject | undefined) {
  if (object === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(object);
  return Object.entries(properties as Record<string, JsonObject>).map(([name, schema]) => ({
    name,
    schema,
    required: (required as readonly string[]).includes(name),
  }));
}

function successes(operation: Operation): Record<string, JsonObject> {
  const replies: Record<string, JsonObject> = {};
  for (const [status, reply] of Object.entries(operation.replies)) {
    replies[status] = success(reply, reply.example ?? operation.example.reply);
  }
  return replies;
}

function success(reply: Reply, example: unknown): JsonObject {
  const headers = Object.entries(reply.headers ?? {}).map(([name, description]) => [
    name,
    { description, schema: { type: 'string' } },
  ]);
  return {
    description: reply.description,
    ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) }),
    ...(reply.schema === undefined
      ? {}
      : {
          content: {
            [reply.contentType ?? JSON_TYPE]: {
              schema: reference(reply.schema),
              ...(example === undefined ? {} : { example }),
            },
            ...Object.fromEntries(
              (reply.otherTypes ?? []).map((type) => [type, { schema: { type: 'string' } }]),
            ),
          },
        }),
  };
}

function failures(operation: Operation): Record<string, JsonObject> {
  const codes = new Set<ProblemCode>([
    ...ANY,
    'unknown-parameter',
    ...(operation.scope === 'none' ? [] : GUARDED),
    ...(operation.scope === 'none' ? [] : (['not-acceptable'] as const)),
    // A body is read, and refused for its size and type, before it is known whether the operation takes one.
    ...(operation.method === 'get'
      ? []
      : (['payload-too-large', 'unsupported-media-type'] as const)),
    ...(takesKey(operation) ? (['idempotency-in-progress', 'idempotency-mismatch'] as const) : []),
    ...operation.problems,
  ]);
  const replies: Record<string, JsonObject> = {};
  for (const status of new Set([...codes].map((code) => PROBLEMS[code].status))) {
    const same = [...codes].filter((code) => PROBLEMS[code].status === status);
    replies[status] = {
      description: same.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('; '),
      content: { 'application/problem+json': { schema: reference(problemSchema) } },
    };
  }
  return replies;
}

/** What tells callers how much they may send; the bucket of publishing is one of its own. */
const RATE_HEADERS = {
  'RateLimit-Limit': 'How many requests may come at once.',
  'RateLimit-Remaining': 'How many more may come at once now.',
  'RateLimit-Reset': 'Seconds until as many may come as at first.',
  'RateLimit-Policy': 'The limit, its window in seconds, and its name.',
} as const;

const RETRY_HEADER = { 'Retry-After': 'Seconds after which to try again.' } as const;

function componentHeaders(): JsonObject {
  return Object.fromEntries(
    Object.entries({ ...RATE_HEADERS, ...RETRY_HEADER }).map(([name, description]) => [
      name,
      { description, schema: { type: 'string' } },
    ]),
  );
}

const headerReferences = (names: object): JsonObject =>
  Object.fromEntries(
    Object.keys(names).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  );

/** Adds to the replies of an operation that is counted what they say of that. */
function limited(operation: Operation, replies: Record<string, JsonObject>): JsonObject {
  if (operation.scope === 'none') return replies;
  const rates = headerReferences(RATE_HEADERS);
  return Object.fromEntries(
    Object.entries(replies).map(([status, reply]) => {
      if (!/^[24]/.test(status)) return [status, reply];
      const retry = status === '429' ? headerReferences(RETRY_HEADER) : {};
      return [
        status,
        { ...reply, headers: { ...(reply['headers'] as object), ...rates, ...retry } },
      ];
    }),
  );
}

function reference(schema: z.ZodType): JsonObject {
  const id = SCHEMAS.get(schema)?.id;
  return id === undefined ? jsonSchema(schema) : { $ref: `${SCHEMA_REFERENCE}${id}` };
}

/** Generators choose the type of a number by its format. */
const GENERATION = {
  io: 'input',
  unrepresentable: 'any',
  override: ({ jsonSchema: made }: { readonly jsonSchema: z.core.JSONSchema.BaseSchema }) => {
    if (made.type !== 'integer') return;
    made.format = (made.maximum ?? Infinity) > INT32_MAX ? 'int64' : 'int32';
  },
} as const;

function jsonSchema(schema: z.ZodType): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, GENERATION);
  return rest;
}

function componentSchemas(): JsonObject {
  const { schemas } = z.toJSONSchema(SCHEMAS, {
    ...GENERATION,
    uri: (id) => `${SCHEMA_REFERENCE}${id}`,
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => {
      const { $schema: _, $id: __, id: ___, ...rest } = schema as JsonObject;
      return [id, rest];
    }),
  );
}
