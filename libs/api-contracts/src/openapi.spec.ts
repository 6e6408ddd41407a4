import { expect, it } from '@jest/globals';
import { z } from 'zod';
import { OPERATIONS, openApiDocument, type JsonObject, type Operation } from './index.ts';

const operations = Object.entries(OPERATIONS) as [string, Operation][];
const document = openApiDocument('1.2.3');
const text = JSON.stringify(document);

/** The rules of OpenAPI 3.1 that a generator can break. */
const operationObject = z.strictObject({
  operationId: z.string().regex(/^[a-z][a-zA-Z]+$/),
  tags: z.array(z.string()).min(1),
  summary: z.string().min(1),
  description: z.string().optional(),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
  parameters: z.array(
    z.strictObject({
      in: z.enum(['path', 'query', 'header']),
      name: z.string().min(1),
      description: z.string().optional(),
      required: z.boolean(),
      schema: z.looseObject({}),
      example: z.string().optional(),
    }),
  ),
  'x-any-credential': z.literal(true).optional(),
  'x-required-scope': z
    .string()
    .regex(/^[a-z_]+:(?:read|write|execute|publish)$/)
    .optional(),
  'x-also-required-scopes': z.array(z.string().regex(/^[a-z_]+:[a-z]+$/)).optional(),
  requestBody: z
    .strictObject({
      required: z.literal(true),
      content: z.partialRecord(
        z.enum([
          'application/json',
          'application/merge-patch+json',
          'application/x-ndjson',
          'application/x-htpasswd',
          'text/csv',
        ]),
        z.strictObject({
          schema: z.strictObject({ $ref: z.string() }),
          example: z.unknown(),
        }),
      ),
    })
    .optional(),
  responses: z.record(
    z.string().regex(/^[2345]\d\d$/),
    z.strictObject({
      description: z.string().min(1),
      headers: z
        .record(
          z.string(),
          z.union([
            z.looseObject({ schema: z.looseObject({}) }),
            z.strictObject({ $ref: z.string().startsWith('#/components/headers/') }),
          ]),
        )
        .optional(),
      content: z.record(z.string(), z.looseObject({ schema: z.looseObject({}) })).optional(),
    }),
  ),
});

const documentSchema = z.strictObject({
  openapi: z.literal('3.1.0'),
  info: z.looseObject({ title: z.string(), version: z.literal('1.2.3') }),
  servers: z.array(z.looseObject({ url: z.string() })),
  tags: z.array(z.strictObject({ name: z.string(), description: z.string() })),
  paths: z.record(
    z.string().startsWith('/api/'),
    z.partialRecord(z.enum(['get', 'post', 'put', 'patch', 'delete']), operationObject),
  ),
  components: z.strictObject({
    schemas: z.record(z.string().regex(/^[A-Za-z0-9]+$/), z.looseObject({})),
    headers: z.record(z.string(), z.looseObject({ description: z.string() })),
    securitySchemes: z.record(z.string(), z.looseObject({ type: z.string() })),
  }),
  security: z.array(z.record(z.string(), z.array(z.string()))),
});

it('is a structurally valid OpenAPI 3.1 document', () => {
  const parsed = documentSchema.safeParse(JSON.parse(text));

  expect(parsed.error?.issues).toBeUndefined();
});

it('holds every operation of the table once', () => {
  const ids = [...text.matchAll(/"operationId":"(\w+)"/g)].map(([, id]) => id);

  expect(ids).toHaveLength(operations.length);
  expect(new Set(ids)).toEqual(new Set(Object.keys(OPERATIONS)));
});

it('refers only to schemas that it holds', () => {
  const { schemas, headers } = document['components'] as Record<'schemas' | 'headers', JsonObject>;
  const held = [
    ...Object.keys(schemas).map((id) => `#/components/schemas/${id}`),
    ...Object.keys(headers).map((name) => `#/components/headers/${name}`),
  ];
  const referenced = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, target]) => target);

  expect(referenced.length).toBeGreaterThan(50);
  for (const target of referenced) {
    expect(held).toContain(target);
  }
});

it.each(operations)('%s names the parameters of its path', (_id, { path, pathParameters }) => {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);

  expect(Object.keys(pathParameters?.shape ?? {})).toEqual(inPath);
});

it.each(operations)('%s has an example that its own schemas accept', (_id, operation) => {
  const { example, replies } = operation;
  const reply = Object.values(replies)[0];

  expect(operation.pathParameters?.safeParse(example.path ?? {}).error).toBeUndefined();
  expect(operation.query?.safeParse(example.query ?? {}).error).toBeUndefined();
  expect(operation.body?.safeParse(example.body).error).toBeUndefined();
  const schema = reply?.contentType === undefined ? reply?.schema : undefined;
  expect(schema?.safeParse(example.reply).error).toBeUndefined();
});

it('names fields in snake case and paths in kebab case', () => {
  const { schemas } = document['components'] as { schemas: Record<string, JsonObject> };
  for (const schema of Object.values(schemas)) {
    for (const name of Object.keys((schema['properties'] as JsonObject | undefined) ?? {})) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    }
  }
  for (const [, { path }] of operations) {
    expect(path.replaceAll(/\{\w+\}/g, 'x')).toMatch(/^(?:\/[a-z0-9.-]+)+$/);
  }
});
