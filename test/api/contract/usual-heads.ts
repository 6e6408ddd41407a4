import type { Operation } from '#libs/api-contracts';
import type { Walk } from './walk.ts';

const SECURE = { 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' };

/** What of the heads of answers is not as it is to be everywhere: methods, CORS, headers that protect browsers. */
export async function headFaults(walk: Walk): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const [id, operation] of walk.operations) {
    const path = namesOf(operation);
    const methods = methodsAt(walk, operation.path);
    const allowed = [...methods, 'OPTIONS'].toSorted().join(', ');
    const options = await walk.at('OPTIONS', id, path);
    if (options.status !== 204) faults.push(`OPTIONS ${operation.path}: ${options.status}`);
    if (sorted(options.headers['allow']) !== allowed) {
      faults.push(`OPTIONS ${operation.path} allows ${options.headers['allow']}, not ${allowed}`);
    }
    const other =
      ['PATCH', 'DELETE', 'PUT', 'POST', 'GET'].find((each) => !methods.has(each)) ?? 'TRACE';
    const refused = await walk.at(other, id, path);
    if (refused.status !== 405 || sorted(refused.headers['allow']) !== allowed) {
      faults.push(`${other} ${operation.path}: ${refused.status} ${refused.headers['allow']}`);
    }
    for (const { headers } of [options, refused]) {
      const isOpen = Object.keys(headers).some((name) => name.startsWith('access-control-'));
      if (isOpen) faults.push(`${operation.path} lets pages of other origins in`);
      for (const [name, value] of Object.entries(SECURE)) {
        if (headers[name] !== value) faults.push(`${operation.path} has no ${name}`);
      }
    }
  }
  return faults;
}

/** The methods of a path; where one has a fixed word, those of the path with a parameter in its place too. */
function methodsAt(walk: Walk, path: string): ReadonlySet<string> {
  const segments = path.split('/');
  const fits = (template: string) => {
    const parts = template.split('/');
    return (
      parts.length === segments.length &&
      parts.every((part, at) => part.startsWith('{') || part === segments[at])
    );
  };
  const methods = walk.operations
    .filter(([, each]) => fits(each.path))
    .map(([, { method }]) => method.toUpperCase());
  return new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods);
}

function namesOf({ path }: Operation): Readonly<Record<string, string>> {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  return Object.fromEntries(names.map((name) => [name, 'x']));
}

function sorted(allow = ''): string {
  return allow.split(/, */).toSorted().join(', ');
}
