import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import { openApiDocument } from '#libs/api-contracts';

const SCRIPT = fileURLToPath(new URL('check-openapi.mjs', import.meta.url));

/** What the check prints about a document; empty when all is well. */
async function complaints(document) {
  const directory = await mkdtemp(join(tmpdir(), 'openapi-'));
  const file = join(directory, 'openapi.json');
  try {
    await writeFile(file, JSON.stringify(document));
    const run = promisify(execFile)(process.execPath, ['--conditions=source', SCRIPT, file]);
    const { stdout, stderr } = await run.catch((error) => error);
    return stdout + stderr;
  } finally {
    await rm(directory, { recursive: true });
  }
}

const text = { type: 'string' };
const response = { description: 'x', content: { 'application/json': { schema: text } } };
const responses = { 200: response, 400: response, 401: response, 500: response };

/** A document with a violation of each rule of our own. */
function planted() {
  const document = structuredClone(openApiDocument('0.0.0'));
  document.paths['/api/v1/bad_things/{thing_id}'] = {
    post: {
      operationId: 'plant',
      summary: 'Plant',
      tags: ['Cluster'],
      parameters: [
        { in: 'path', name: 'thing_id', required: true, schema: text },
        { in: 'query', name: 'badName[near]', schema: { type: 'integer', format: 'int32' } },
      ],
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: {
              type: 'object',
              properties: {
                badField: { type: 'string', enum: ['Loud'] },
                endless: { type: 'array', items: { type: 'boolean' } },
                made_at: { type: 'string', maxLength: 40 },
              },
            },
          },
        },
      },
      responses,
    },
  };
  document.paths['/api/v1/sheep-fold/{fold_id}'] = {
    get: {
      operationId: 'plantPlural',
      summary: 'Plant',
      tags: ['Cluster'],
      parameters: [
        { in: 'path', name: 'fold_id', required: true, schema: { ...text, maxLength: 9 } },
      ],
      'x-required-scope': 'nodes:read',
      responses,
    },
  };
  return document;
}

it('finds nothing wrong with the document of the API', async () => {
  expect(await complaints(openApiDocument('0.0.0'))).toBe('');
});

it('finds a violation of each rule of our own, and of a linter of others', async () => {
  const printed = await complaints(planted());

  for (const rule of [
    'skein-string-limit',
    'skein-array-limit',
    'skein-fields-snake-case',
    'skein-parameters-snake-case',
    'skein-paths-kebab-case',
    'skein-collections-plural',
    'skein-enums-lower-case',
    'skein-times-are-dates',
    'skein-rate-limit',
    'skein-scope-stated',
  ]) {
    expect(printed).toContain(rule);
  }
});

it('finds what is no OpenAPI at all', async () => {
  const document = openApiDocument('0.0.0');
  const { info: _, ...rest } = document;

  expect(await complaints(rest)).toMatch(/redocly:[^]*info[^]*spectral:/);
});
