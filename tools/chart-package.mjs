// Packs the chart of a release: its version, where it comes from, its images and what has changed are written into Chart.yaml.
// usage: node tools/chart-package.mjs v1.2.3 REPOSITORY IMAGES DIRECTORY
//   REPOSITORY  address of the project; IMAGES  host and path that images are pushed to; DIRECTORY  where the package goes
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDocument, stringify } from 'yaml';
import { toolPath } from './chart-tools.mjs';
import { notesOf, notesOfTag } from './release-notes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const chart = join(root, 'helm/skein');
const KINDS = ['added', 'changed', 'deprecated', 'removed', 'fixed', 'security'];

/** The icon of the chart, which needs no host. */
export const ICON = `data:image/svg+xml;base64,${readFileSync(join(chart, 'icon.svg')).toString('base64')}`;

/** The items of a section of the changelog, as Artifact Hub takes them. */
function changesOf(notes) {
  return notes.split(/^### /m).flatMap((part) => {
    const [title, ...lines] = part.split('\n');
    const kind = KINDS.find((each) => each === title.trim().toLowerCase());
    if (kind === undefined) return [];
    const items = lines.join('\n').split(/^- /m).slice(1);
    return items.map((item) => ({ kind, description: item.trim().replaceAll(/\s+/g, ' ') }));
  });
}

/** Chart.yaml of a release. */
export function stampedChart(text, { version, repository, images, changelog }) {
  const document = parseDocument(text);
  const annotate = (name, value) =>
    document.setIn(['annotations', `artifacthub.io/${name}`], value);
  document.set('version', version);
  document.set('appVersion', version);
  document.set('home', repository);
  document.set('sources', [repository]);
  annotate('prerelease', String(version.includes('-')));
  annotate('changes', stringify(changesOf(notesOf(changelog, version))));
  const imageOf = (name) => ({ name, image: `${images}/skein-${name}:${version}` });
  annotate('images', stringify([imageOf('broker'), imageOf('api')]));
  const linkOf = (name, path) => ({ name, url: `${repository}/blob/v${version}/${path}` });
  annotate(
    'links',
    stringify([
      linkOf('Operations', 'docs/operations/README.md'),
      linkOf('Upgrading', 'helm/skein/UPGRADING.md'),
      linkOf('Runbooks', 'docs/runbooks/README.md'),
    ]),
  );
  return document.toString({ lineWidth: 0 });
}

/** Packs it; returns the path of the package. @throws Error with what helm says, where it fails. */
export function packageChart({ out, helm, ...release }) {
  const directory = mkdtempSync(join(tmpdir(), 'skein-package-'));
  try {
    const copy = join(directory, 'skein');
    cpSync(chart, copy, { recursive: true });
    const path = join(copy, 'Chart.yaml');
    writeFileSync(path, stampedChart(readFileSync(path, 'utf8'), release));
    const program = helm === undefined ? 'helm' : toolPath(helm);
    const { error, status, stderr } = spawnSync(program, ['package', copy, '--destination', out], {
      encoding: 'utf8',
    });
    if (error !== undefined) throw error;
    if (status !== 0) throw new Error(stderr);
    return join(out, `skein-${release.version}.tgz`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const [tag = '', repository, images, out] = process.argv.slice(2);
  if (out === undefined) {
    console.error('usage: node tools/chart-package.mjs v1.2.3 REPOSITORY IMAGES DIRECTORY');
    process.exit(2);
  }
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  notesOfTag(tag, { version, changelog });
  console.log(packageChart({ version, repository, images, out, changelog }));
}
