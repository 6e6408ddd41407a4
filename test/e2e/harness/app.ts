import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { until } from '#libs/testkit';
import { Child } from './child.ts';
import type { Scope } from './scope.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const READY_DEADLINE_MS = 50_000;
const ASK_DEADLINE_MS = 5_000;

/** Settings as SKEIN_* variables, without the prefix. */
export type Settings = Readonly<Record<string, string | number>>;

/** How a built app is started. */
export interface AppOptions {
  readonly settings?: Settings;
  /** Variables that are no settings. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Its command line. */
  readonly args?: readonly string[];
  /** Flags of Node.js. */
  readonly nodeArgs?: readonly string[];
  /** The directory it runs in. @defaultValue that of the test run */
  readonly cwd?: string;
}

/** Starts a built app with nothing of the caller's environment. @throws Error when it has not been built. */
export function spawnApp(
  scope: Scope,
  app: 'broker' | 'api',
  { settings = {}, variables = {}, args = [], nodeArgs = [], ...rest }: AppOptions,
): Child {
  const main = `${ROOT}dist/apps/${app}/src/main.js`;
  if (!existsSync(main)) {
    throw new Error(`${main} is missing: build the apps with "npm run build" first`);
  }
  // Clusters of tests have no users unless they are about them.
  const isCluster = Object.keys(settings).some((name) => name.startsWith('REDIS_'));
  const all = { ...(isCluster && { AUTH_ANONYMOUS: 'true' }), ...settings };
  const own = Object.fromEntries(
    Object.entries(all).map(([name, value]) => [`SKEIN_${name}`, String(value)]),
  );
  const env = { ...variables, ...own };
  const command = process.execPath;
  return new Child(scope, { ...rest, command, args: [...nodeArgs, main, ...args], env });
}

/** The ops port of an app. */
export class Ops {
  readonly port: number;
  readonly #origin: string;

  constructor(port: number) {
    this.port = port;
    this.#origin = `http://127.0.0.1:${String(port)}`;
  }

  /** The status of a probe; undefined while nobody answers. */
  async health(probe: 'live' | 'ready' | 'startup'): Promise<number | undefined> {
    try {
      const response = await this.#get(`/healthz/${probe}`);
      await response.body?.cancel();
      return response.status;
    } catch {
      return undefined;
    }
  }

  /** The metrics page. */
  async metrics(): Promise<string> {
    return (await this.#get('/metrics')).text();
  }

  /** The sum of the samples of a metric whose labels contain a text. */
  async metric(name: string, label = ''): Promise<number> {
    const samples = (await this.metrics())
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => line.includes(label));
    return samples.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  /** Waits until work may be sent to the app. @throws Error with the app's output when it ends or is late. */
  async ready(child: Child): Promise<void> {
    let status: number | undefined;
    const asked = until(async () => {
      status = await this.health('ready');
      return status === 200 || !child.isRunning;
    }, READY_DEADLINE_MS);
    await asked.catch(() => undefined);
    if (status !== 200) throw new Error(`${child.name} is not ready:\n${child.output}`);
  }

  #get(path: string): Promise<Response> {
    return fetch(`${this.#origin}${path}`, { signal: AbortSignal.timeout(ASK_DEADLINE_MS) });
  }
}
