import { z } from 'zod';
import type { Operation } from './operation.ts';
import { named } from './schema.ts';

/** What a problem code means. */
export const problemPageSchema = named(
  'ProblemPage',
  z.object({ code: z.string(), status: z.number().int(), title: z.string(), text: z.string() }),
);

/** The API's own pages. They hold nothing of the cluster and need no credentials. */
export const DOCUMENT_OPERATIONS = {
  getOpenApi: {
    method: 'get',
    path: '/api/openapi.json',
    tag: 'Documents',
    summary: 'This document',
    scope: 'none',
    query: z.strictObject({}),
    replies: {
      200: { description: 'OpenAPI 3.1.', schema: z.looseObject({ openapi: z.string() }) },
    },
    problems: [],
    example: { reply: { openapi: '3.1.0' } },
  },
  getOpenApiYaml: {
    method: 'get',
    path: '/api/openapi.yaml',
    tag: 'Documents',
    summary: 'This document as YAML',
    scope: 'none',
    query: z.strictObject({}),
    replies: {
      200: { description: 'OpenAPI 3.1.', contentType: 'application/yaml', schema: z.string() },
    },
    problems: [],
    example: { reply: 'openapi: 3.1.0\n' },
  },
  getDocs: {
    method: 'get',
    path: '/api/docs',
    tag: 'Documents',
    summary: 'Swagger UI',
    scope: 'none',
    query: z.strictObject({}),
    replies: { 200: { description: 'A page.', contentType: 'text/html', schema: z.string() } },
    problems: [],
    example: { reply: '<!doctype html>' },
  },
  getDocsAsset: {
    method: 'get',
    path: '/api/docs/{file}',
    tag: 'Documents',
    summary: 'A script, style sheet or icon of the Swagger UI',
    scope: 'none',
    pathParameters: z.strictObject({ file: z.string() }),
    query: z.strictObject({}),
    replies: { 200: { description: 'The file.', contentType: '*/*', schema: z.string() } },
    problems: ['not-found'],
    example: { path: { file: 'swagger-ui.css' }, reply: '.swagger-ui{}' },
  },
  getProblem: {
    method: 'get',
    path: '/api/problems/{code}',
    tag: 'Documents',
    summary: 'What a problem code means',
    scope: 'none',
    pathParameters: z.strictObject({ code: z.string() }),
    query: z.strictObject({}),
    replies: { 200: { description: 'The problem.', schema: problemPageSchema } },
    problems: ['not-found'],
    example: {
      path: { code: 'not-found' },
      reply: { code: 'not-found', status: 404, title: 'Not found', text: 'There is no such …' },
    },
  },
} as const satisfies Readonly<Record<string, Operation>>;
