import { lookup } from 'node:dns/promises';
import net from 'node:net';
import tls, { type ConnectionOptions } from 'node:tls';
import type { BridgeTestStep } from '#libs/broker-ports';
import { waitAtMost } from './deferred.ts';

const CONNECT_MS = 10_000;

/** Where a sink connects to. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** What TLS is made with; absent: none. Throws when a file cannot be read. */
  readonly tls?: (() => ConnectionOptions) | undefined;
}

/** What a sink tests beyond its network. Each answers what it found, or throws what is wrong. */
export interface SinkTestPlan {
  /** How long all steps may take together. */
  readonly withinMs: number;
  /** May throw: a secret may be missing. */
  readonly endpoints: () => readonly Endpoint[];
  /** Logs in, or says what else shows that the other side answers. */
  readonly auth: () => Promise<string>;
  /** Absent when no target is to be tested. */
  readonly target?: (() => Promise<string>) | undefined;
  /** Asks the schema registry; absent when there is none. */
  readonly schemas?: (() => Promise<string>) | undefined;
}

/**
 * Tests step by step whether a sink can work, up to the first fault: names, TCP, TLS, login, target and schema registry.
 *
 * @remarks Of several endpoints one that passes is enough; the details tell of the others, and the next step goes on without them.
 */
export async function* testInSteps(plan: SinkTestPlan): AsyncGenerator<BridgeTestStep, void> {
  const endMs = performance.now() + plan.withinMs;
  let left: readonly Endpoint[] = [];
  const network = (question: (endpoint: Endpoint) => Promise<string>) => async () => {
    const answers = await Promise.all(left.map((endpoint) => ask(endpoint, question, endMs)));
    const details = answers.map(({ detail }) => detail).join('; ');
    if (!answers.some(({ passed }) => passed)) throw new Error(details);
    left = answers.filter(({ passed }) => passed).map(({ endpoint }) => endpoint);
    return details;
  };
  const steps: [BridgeTestStep['step'], (() => Promise<string>) | undefined][] = [
    [
      'dns',
      () => {
        left = plan.endpoints();
        return network(resolve)();
      },
    ],
    ['tcp', network(connect)],
    ['tls', network(secure)],
    ['auth', plan.auth],
    ['target', plan.target],
    ['schemas', plan.schemas],
  ];
  for (const [step, work] of steps) {
    if (work === undefined) continue;
    if (step === 'tls' && left.every((endpoint) => endpoint.tls === undefined)) continue;
    const begunMs = performance.now();
    const { passed: ok, detail } = await outcomeOf(work, endMs);
    yield { step, ok, ms: Math.round(performance.now() - begunMs), detail };
    if (!ok) return;
  }
}

async function ask(
  endpoint: Endpoint,
  question: (endpoint: Endpoint) => Promise<string>,
  endMs: number,
) {
  const { passed, detail } = await outcomeOf(() => question(endpoint), endMs);
  return { endpoint, passed, detail: `${endpoint.host}:${endpoint.port} ${detail}` };
}

/** What a piece of work found, or why it did not. */
async function outcomeOf(
  work: () => Promise<string>,
  endMs: number,
): Promise<{ readonly passed: boolean; readonly detail: string }> {
  let detail: string | undefined;
  const begin = async (): Promise<void> => {
    detail = await work();
  };
  try {
    await waitAtMost(Math.max(endMs - performance.now(), 1), begin());
  } catch (error) {
    const { message, code } = error as { readonly message?: unknown; readonly code?: unknown };
    return { passed: false, detail: String(message || code) };
  }
  return detail === undefined
    ? { passed: false, detail: 'no answer in time' }
    : { passed: true, detail };
}

async function resolve({ host }: Endpoint): Promise<string> {
  const addresses = await lookup(host, { all: true });
  return `is ${addresses.map(({ address }) => address).join(', ')}`;
}

function connect({ host, port }: Endpoint): Promise<string> {
  const socket = net.connect({ host, port });
  return settled(socket, 'connect', () => 'takes connections');
}

function secure({ host, port, tls: options }: Endpoint): Promise<string> {
  if (options === undefined) return Promise.resolve('takes no TLS');
  const socket = tls.connect({ host, port, ...options(), rejectUnauthorized: true });
  return settled(socket, 'secureConnect', () => {
    const { valid_to: until } = socket.getPeerCertificate();
    return `speaks ${socket.getProtocol() ?? 'TLS'}; its certificate is valid until ${until}`;
  });
}

/** Waits for an event of a socket, and ends it. */
function settled(socket: net.Socket, event: string, found: () => string): Promise<string> {
  return new Promise((pass, fail) => {
    socket.setTimeout(CONNECT_MS, () => socket.destroy(new Error('no answer in time')));
    socket.once('error', fail);
    socket.once(event, () => {
      pass(found());
      socket.destroy();
    });
  });
}
