// Compares the API with tools/openapi/released.json, which is that of the last release: changes within v1 are additive.
// usage: npm run check:breaking [-- --release]; with --release what is now becomes what is compared with.
import { readFileSync, writeFileSync } from 'node:fs';
import { openApiDocument } from '#libs/api-contracts';
import { breakingChanges, essence } from './openapi-diff.mjs';

const RELEASED = new URL('openapi/released.json', import.meta.url);

/** A line for each path and each schema: what a change changes can be read. */
function lines({ paths, components: { schemas } }) {
  const list = (values) =>
    Object.entries(values).map(
      ([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`,
    );
  return `{"paths":{\n${list(paths).join(',\n')}\n},"components":{"schemas":{\n${list(schemas).join(',\n')}\n}}}\n`;
}

const now = essence(openApiDocument('0.0.0'));
if (process.argv.includes('--release')) {
  writeFileSync(RELEASED, lines(now));
} else {
  const faults = breakingChanges(JSON.parse(readFileSync(RELEASED, 'utf8')), now);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) {
    console.error(
      `\n${faults.length} changes break callers of the last release. Make them additive; before 1.0, a change that is meant stands in CHANGELOG.md, and \`npm run check:breaking -- --release\` accepts it.`,
    );
    process.exitCode = 1;
  }
}
