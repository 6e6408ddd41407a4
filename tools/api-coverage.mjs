// Says which operations of tools/api-coverage/admin-api.txt the API has, and which it has besides.
// usage: npm run -s api-coverage [-- --strict]; with --strict a difference is exit code 1.
import { readFileSync } from 'node:fs';
import { OPERATIONS } from '#libs/api-contracts';

/** Files of the documentation page are part of it. */
const PARTS = new Set(['GET /api/docs/{}']);

const keyOf = (method, path) => `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '{}')}`;

/** What is documented: by key, as it is written. */
export function documented(text) {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const [method, path, scope, mark] = line.split(' ');
      return [keyOf(method, path), { name: `${method} ${path}`, scope, either: mark === 'either' }];
    }),
  );
}

/** How a table of operations differs from what is documented; what may be left out and is counts for nothing. */
export function compare(wanted, operations) {
  const implemented = new Map(
    Object.values(operations).map((operation) => [
      keyOf(operation.method, operation.path),
      { name: `${operation.method.toUpperCase()} ${operation.path}`, scope: operation.scope },
    ]),
  );
  const absent = [...wanted].filter(([key]) => !implemented.has(key));
  const missing = absent.filter(([, { either }]) => !either);
  const leftOut = absent.filter(([, { either }]) => either);
  const extra = [...implemented].filter(([key]) => !wanted.has(key) && !PARTS.has(key));
  const scopes = [...implemented].flatMap(([key, { name, scope }]) => {
    const expected = wanted.get(key)?.scope ?? scope;
    return expected === scope ? [] : [`${name}: ${scope} instead of ${expected}`];
  });
  return {
    documented: wanted.size - leftOut.length,
    implemented: [...implemented.keys()].filter((key) => wanted.has(key)).length,
    missing: missing.map(([, { name }]) => name),
    extra: extra.map(([, { name }]) => name),
    scopes,
    leftOut: leftOut.map(([, { name }]) => name),
  };
}

const TITLES = { scopes: 'other scopes', leftOut: 'left out, as it may be' };

function print({ documented: total, implemented, ...lists }) {
  console.log(`documented ${total}, implemented ${implemented}`);
  for (const [title, list] of Object.entries(lists)) {
    console.log(`\n${TITLES[title] ?? title}: ${list.length}`);
    for (const each of list) console.log(`  ${each}`);
  }
}

if (import.meta.main) {
  const list = new URL('api-coverage/admin-api.txt', import.meta.url);
  const report = compare(documented(readFileSync(list, 'utf8')), OPERATIONS);
  print(report);
  const differs = [report.missing, report.extra, report.scopes].some((each) => each.length > 0);
  process.exitCode = process.argv.includes('--strict') && differs ? 1 : 0;
}
