import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { OPERATIONS } from '#libs/api-contracts';
import { compare, documented } from './api-coverage.mjs';

const list = readFileSync(new URL('api-coverage/admin-api.txt', import.meta.url), 'utf8');

const wanted = documented(`# a comment
GET /things/{id} things:read
PUT /things/{id} things:write
PUT /things things:write either
DELETE /things/{id} things:write
`);

it('tells what is there, missing, extra, and of another scope, whatever parameters are called', () => {
  const report = compare(wanted, {
    show: { method: 'get', path: '/things/{thing_id}', scope: 'things:read' },
    replace: { method: 'put', path: '/things/{thing_id}', scope: 'things:read' },
    more: { method: 'post', path: '/things', scope: 'things:write' },
  });

  expect(report).toEqual({
    documented: 3,
    implemented: 2,
    missing: ['DELETE /things/{id}'],
    extra: ['POST /things'],
    scopes: ['PUT /things/{thing_id}: things:read instead of things:write'],
    leftOut: ['PUT /things'],
  });
});

it('counts as many implemented as documented when nothing is missing, whatever may be left out', () => {
  const { documented: total, implemented, missing } = compare(documented(list), OPERATIONS);

  expect({ total, missing }).toEqual({ total: implemented, missing: [] });
});

it('reads every line of the list as method, path and scope', () => {
  const entries = [...documented(list).values()];

  expect(entries.length).toBeGreaterThan(200);
  for (const { name, scope } of entries) {
    expect(name).toMatch(/^(?:GET|POST|PUT|PATCH|DELETE) \/api\/[a-z0-9/{}.-]+$/);
    expect(scope).toMatch(/^(?:any|none|[a-z_]+:(?:read|write|execute|publish))$/);
  }
});

it('finds no operation whose scope is not the documented one', () => {
  expect(compare(documented(list), OPERATIONS).scopes).toEqual([]);
});
