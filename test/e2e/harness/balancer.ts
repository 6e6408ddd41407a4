import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, until } from '#libs/testkit';
import type { Broker } from './broker.ts';
import { Child } from './child.ts';
import type { Scope } from './scope.ts';

const FILE = fileURLToPath(new URL('../../../deploy/compose/haproxy.cfg', import.meta.url));
const READY_MS = 20_000;

/** HAProxy with the configuration of deploy/compose, in front of nodes that are processes of this machine. */
export class Balancer {
  /** What listens where, by the port that the file names. */
  readonly #ports: ReadonlyMap<string, number>;

  private constructor(ports: ReadonlyMap<string, number>) {
    this.#ports = ports;
  }

  /** Starts it in front of the first three nodes, in their order, and waits until it knows all of them as ready. */
  static async start(scope: Scope, nodes: readonly Broker[]): Promise<Balancer> {
    const text = readFileSync(FILE, 'utf8');
    const ports = new Map<string, number>();
    for (const [, port = ''] of text.matchAll(/^ {2}bind :(\d+)$/gm)) {
      ports.set(port, await freePort());
    }
    const directory = mkdtempSync(join(tmpdir(), 'skein-balancer-'));
    scope.add(() => rmSync(directory, { recursive: true, force: true }));
    const path = join(directory, 'haproxy.cfg');
    writeFileSync(path, here(text, ports, nodes));
    const child = new Child(scope, { command: 'haproxy', args: ['-db', '-f', path] });
    const balancer = new Balancer(ports);
    await until(async () => {
      if (!child.isRunning) throw new Error(child.output);
      return await balancer.#isUp();
    }, READY_MS);
    return balancer;
  }

  /** Where clients connect for the node with the fewest of them. */
  get port(): number {
    return this.portOf('1880');
  }

  /** Where something listens that has this port in the file. */
  portOf(port: string): number {
    const found = this.#ports.get(port);
    if (found === undefined) throw new Error(`nothing is bound to ${port}`);
    return found;
  }

  async #isUp(): Promise<boolean> {
    const url = `http://127.0.0.1:${String(this.portOf('8404'))}/healthz`;
    return await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
  }
}

/** The file with the addresses of this machine; names of nodes need no resolver then. */
function here(text: string, ports: ReadonlyMap<string, number>, nodes: readonly Broker[]): string {
  const places = new Map(
    nodes.flatMap((node, index) => {
      const place = (port: number | string): string => {
        return `127.0.0.1:${String(port)} check port ${String(node.ops.port)}`;
      };
      const at = String(index + 1);
      return [
        [`${at}:1883`, place(node.port)],
        [`${at}:8083`, place(new URL(node.wsUrl).port)],
      ];
    }),
  );
  return text
    .replaceAll(/^ {2}bind :(\d+)$/gm, (_, port: string) => {
      return `  bind 127.0.0.1:${String(ports.get(port))}`;
    })
    .replaceAll(/^( {2}server node\d) node(\d:(?:1883|8083))$/gm, (_, name: string, at: string) => {
      return `${name} ${places.get(at) ?? at}`;
    })
    .replace('check port 9464 ', 'check ')
    .replace(' resolvers docker init-addr last,libc,none', '');
}
