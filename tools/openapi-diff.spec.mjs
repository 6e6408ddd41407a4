import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { openApiDocument } from '#libs/api-contracts';
import { breakingChanges, essence } from './openapi-diff.mjs';

/** A small API that has one of everything. */
const document = () => ({
  paths: {
    '/things/{id}': {
      get: {
        operationId: 'getThing',
        'x-required-scope': 'things:read',
        parameters: [
          { in: 'path', name: 'id', required: true, schema: { type: 'string', maxLength: 64 } },
          { in: 'query', name: 'kind', required: false, schema: { enum: ['a', 'b'] } },
        ],
        responses: {
          200: {
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Thing' } } },
          },
          202: {},
          404: {},
        },
      },
      put: {
        operationId: 'putThing',
        parameters: [],
        requestBody: {
          required: true,
          content: {
            'application/json': { schema: { $ref: '#/components/schemas/Wanted' } },
            'application/x-ndjson': { schema: { type: 'array', items: { type: 'number' } } },
          },
        },
        responses: { 200: {} },
      },
    },
  },
  components: {
    schemas: {
      Thing: {
        type: 'object',
        properties: {
          id: { type: 'string' },
          size: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
          inner: { $ref: '#/components/schemas/Thing' },
        },
        required: ['id', 'size'],
      },
      Wanted: {
        type: 'object',
        properties: {
          name: { type: 'string', minLength: 1 },
          mode: { type: 'string', enum: ['on', 'off'] },
          count: { type: 'integer', minimum: 0, maximum: 10 },
          way: {
            oneOf: [
              {
                type: 'object',
                properties: { to: { const: 'a' } },
                required: ['to'],
                additionalProperties: false,
              },
              {
                type: 'object',
                properties: { to: { const: 'b' } },
                required: ['to'],
                additionalProperties: false,
              },
            ],
          },
        },
        required: ['name'],
        additionalProperties: false,
      },
    },
  },
});

const get = (d) => d.paths['/things/{id}'].get;
const put = (d) => d.paths['/things/{id}'].put;
const thing = (d) => d.components.schemas.Thing;
const wanted = (d) => d.components.schemas.Wanted;

/** What breaks callers, and what is said of it. */
const BREAKING = [
  ['a path is gone', (d) => delete d.paths['/things/{id}'], 'is gone'],
  ['a method is gone', (d) => delete d.paths['/things/{id}'].put, 'PUT /things/{id}: is gone'],
  [
    'an operation has another name',
    (d) => (get(d).operationId = 'showThing'),
    'is called showThing',
  ],
  ['another scope', (d) => (get(d)['x-required-scope'] = 'things:write'), 'needs things:write now'],
  ['a scope besides', (d) => (get(d)['x-also-required-scopes'] = ['x:read']), 'needs x:read too'],
  ['a parameter is gone', (d) => get(d).parameters.pop(), 'query parameter kind is gone'],
  [
    'a parameter is required',
    (d) => (get(d).parameters[1].required = true),
    'kind is required now',
  ],
  [
    'a new required parameter',
    (d) => get(d).parameters.push({ in: 'query', name: 'n', required: true, schema: {} }),
    'n is new and required',
  ],
  ['a shorter id', (d) => (get(d).parameters[0].schema.maxLength = 32), 'smaller maxLength'],
  ['an enum value is gone', (d) => get(d).parameters[1].schema.enum.pop(), 'takes b no more'],
  ['an answer is gone', (d) => delete get(d).responses[202], 'answers no 202'],
  ['a field is gone', (d) => delete thing(d).properties.size, '.size is gone'],
  ['a field may be absent', (d) => (thing(d).required = ['id']), '.size may be absent now'],
  [
    'a field has another type',
    (d) => (thing(d).properties.id.type = 'integer'),
    '.id is integer instead of string',
  ],
  [
    'a field may be null',
    (d) => (thing(d).properties.id = { anyOf: [{ type: 'string' }, { type: 'null' }] }),
    '.id is null',
  ],
  ['a field is anything', (d) => (thing(d).properties.id = {}), '.id is anything'],
  ['a wanted field is gone', (d) => delete wanted(d).properties.mode, '.mode is gone'],
  ['a wanted field is required', (d) => wanted(d).required.push('mode'), '.mode is required now'],
  [
    'a new required field',
    (d) => {
      wanted(d).properties.next = { type: 'string' };
      wanted(d).required.push('next');
    },
    '.next is required now',
  ],
  [
    'a wanted enum value is gone',
    (d) => wanted(d).properties.mode.enum.pop(),
    '.mode takes off no more',
  ],
  ['a narrower number', (d) => (wanted(d).properties.count.maximum = 5), 'smaller maximum'],
  ['a larger least number', (d) => (wanted(d).properties.count.minimum = 1), 'larger minimum'],
  ['a pattern', (d) => (wanted(d).properties.name.pattern = '^a'), 'another pattern'],
  ['a narrower type', (d) => (wanted(d).properties.name.type = 'integer'), '.name is integer'],
  ['a variant is gone', (d) => wanted(d).properties.way.oneOf.pop(), 'takes b no more'],
  [
    'a body type is gone',
    (d) => delete put(d).requestBody.content['application/x-ndjson'],
    'no application/x-ndjson',
  ],
  [
    'items of another type',
    (d) => {
      put(d).requestBody.content['application/x-ndjson'].schema.items.type = 'string';
    },
    '[] is string instead of number',
  ],
  ['no body', (d) => delete put(d).requestBody, 'takes no body'],
];

it.each(BREAKING)('finds: %s', (_, change, said) => {
  const after = document();
  change(after);
  expect(breakingChanges(document(), after).join('\n')).toContain(said);
});

/** What breaks nobody. */
const ADDITIVE = [
  ['nothing', () => {}],
  ['a path', (d) => (d.paths['/others'] = { get: { operationId: 'o', responses: {} } })],
  [
    'a parameter',
    (d) => get(d).parameters.push({ in: 'query', name: 'n', required: false, schema: {} }),
  ],
  ['a longer id', (d) => (get(d).parameters[0].schema.maxLength = 128)],
  ['an enum value', (d) => get(d).parameters[1].schema.enum.push('c')],
  ['a field of an answer', (d) => (thing(d).properties.more = { type: 'string' })],
  ['a field that is always there', (d) => thing(d).required.push('inner')],
  ['a field that is never null', (d) => (thing(d).properties.size = { type: 'integer' })],
  ['a wanted field that may be absent', (d) => (wanted(d).properties.more = { type: 'string' })],
  ['a wanted field that need not be there', (d) => (wanted(d).required = [])],
  ['a wider number', (d) => (wanted(d).properties.count = { type: 'number', minimum: -1 })],
  ['a variant', (d) => wanted(d).properties.way.oneOf.push({ type: 'string' })],
  ['a problem', (d) => (get(d).responses[409] = {})],
  ['a problem less', (d) => delete get(d).responses[404]],
];

it.each(ADDITIVE)('takes: %s', (_, change) => {
  const after = document();
  change(after);
  expect(breakingChanges(document(), after)).toEqual([]);
});

it('finds what is planted into the document of the API itself, and nothing without', () => {
  const made = () => essence(openApiDocument('0.0.0'));
  expect(breakingChanges(made(), made())).toEqual([]);
  const planted = structuredClone(made());
  delete planted.components.schemas.Client.properties.client_id;
  expect(breakingChanges(made(), planted)).toContain(
    'GET /api/v1/clients/{client_id}: the answer 200.client_id is gone',
  );
});

it('what is compared with holds every operation of a release, and no texts', () => {
  const released = JSON.parse(
    readFileSync(new URL('openapi/released.json', import.meta.url), 'utf8'),
  );
  expect(Object.keys(released.paths).length).toBeGreaterThan(80);
  expect(JSON.stringify(released)).not.toContain('"summary"');
});
