// The values on docs/operations/install.md are rendered as a reader would, and read by the apps.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { loadConfig, opennessFault } from '#libs/config';
import { HELMS, objectsOf, podsOf, renderText } from './helm.mjs';
import { faultsOf } from './kubernetes.mjs';
import { environmentOf, writePod } from './pod-files.mjs';

const page = fileURLToPath(new URL('../../docs/operations/install.md', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'skein-install-page-'));
const blocks = new Map(
  [...readFileSync(page, 'utf8').matchAll(/^```yaml values=([\w-]+)\n([^]*?)^```/gm)].map(
    ([, name, text]) => [name, text],
  ),
);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Files of values as a reader has them: the base, and a part of the page on top. */
function filesOf(name) {
  return [...new Set(['base', name])].map((each) => {
    const path = join(directory, `${each}.yaml`);
    writeFileSync(path, blocks.get(each));
    return path;
  });
}

/** The configuration that each long-running pod has, read by the app itself. */
function configsOf(objects, name) {
  return podsOf(objects)
    .filter(({ where }) => where.startsWith('Deployment/'))
    .map((pod, index) => {
      const { spec } = pod;
      const { lead, homeless } = writePod({
        ...{ spec, objects },
        directory: join(directory, `${name}-${String(index)}`),
      });
      expect(homeless).toEqual([]);
      const env = environmentOf(spec.containers[0], { lead, fields: { 'metadata.name': 'pod-1' } });
      return loadConfig({ env });
    });
}

it('has values for what an installation needs', () => {
  expect([...blocks.keys()]).toEqual(
    expect.arrayContaining(['base', 'test', 'load-balancer', 'kafka', 'monitoring', 'backups']),
  );
});

describe.each([...blocks.keys()])('%s', (name) => {
  it.each(HELMS)('is rendered by %s to objects that Kubernetes knows', (version) => {
    const objects = objectsOf(renderText(version, { files: filesOf(name) }));

    expect(objects.flatMap((object) => faultsOf(object))).toEqual([]);
    const configs = configsOf(objects, `${version}-${name}`);
    const [broker] = configs.filter(({ auth }) => auth.chain !== undefined);
    expect(configs).toHaveLength(2);
    expect(broker.auth).toMatchObject({ anonymous: false, chain: [{ kind: 'stored' }] });
    expect(opennessFault(broker)).toBeUndefined();
  });
});
