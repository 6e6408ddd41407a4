// The programs that the chart is checked with, in .tools: built from source by Go, once. A missing one fails what needs it.
// usage: node tools/chart-tools.mjs
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensurePrograms } from './debian-packages.mjs';
import { step } from './progress.mjs';

const directory = fileURLToPath(new URL('../.tools/', import.meta.url));

/** Both versions of helm are called so; each has a folder of its own. */
const MODULES = {
  'helm4/helm': 'helm.sh/helm/v4/cmd/helm@v4.2.4',
  'helm3/helm': 'helm.sh/helm/v3/cmd/helm@v3.21.4',
};

/** Where a program of the list is. */
export const toolPath = (name) => join(directory, name);

/** Builds what is missing, one at a time and on one core. @throws Error where that fails. */
export async function ensureChartTools() {
  await ensurePrograms({ promtool: 'prometheus', prometheus: 'prometheus' });
  for (const [name, module] of Object.entries(MODULES)) {
    if (existsSync(toolPath(name))) continue;
    await step(`building ${module}`, () => build(name, module));
  }
}

function build(name, module) {
  const bin = join(directory, name, '..');
  mkdirSync(bin, { recursive: true });
  const env = { ...process.env, GOBIN: bin, GOFLAGS: '-p=1' };
  const { status, stderr, error } = spawnSync('go', ['install', module], { env, encoding: 'utf8' });
  if (error?.code === 'ENOENT') {
    throw new Error(
      'go is not installed: the chart is checked with helm 3 and 4, which Go 1.26 or newer builds',
    );
  }
  if (status !== 0) throw new Error(`go install ${module}: ${stderr.trim().split('\n').at(-1)}`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await ensureChartTools();
