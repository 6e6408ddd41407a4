import type {
  AuthBackendCreate,
  AuthBackendView,
  AuthChainView,
  WireAuth,
  WireAuthBackend,
  WireAuthChain,
  WireAuthChange,
  WireAuthDocument,
  WireMadeBackend,
} from '#libs/api-contracts';
import type { Cluster } from './cluster/cluster.ts';
import { Definitions } from './http/definitions.ts';
import { ProblemError } from './http/problem-error.ts';

/** What those who are asked are called in problems. */
export const AUTH_BACKENDS = new Definitions('backend');

/** Makes of what is set at this moment what is to be. */
export type AuthEdit = (auth: WireAuth) => WireAuthDocument;

/** How a change goes. */
export interface AuthEditOptions {
  /** Holds the change to the state that its author has seen. @throws ProblemError otherwise. */
  readonly requireSeen?: (auth: WireAuth) => void;
  readonly dryRun: boolean;
  /** Where the body of the request has a backend of that id: faults of it are said to be there. */
  readonly backend?: string;
}

/** What is set now, and what it was made of. */
export interface AuthEdited {
  readonly document: WireAuthDocument;
  /** Undefined after a dry run. */
  readonly revision: number | undefined;
  readonly before: WireAuth;
}

/** How often a change that nobody has held to a state is tried while others change the same. */
const TRIES_MAX = 5;

/**
 * Changes who is asked who a client is, once every node has said that it could ask so.
 *
 * @throws ProblemError when one could not, or does not say.
 */
export async function editAuth(
  cluster: Cluster,
  edit: AuthEdit,
  options: AuthEditOptions,
): Promise<AuthEdited> {
  const { requireSeen, dryRun } = options;
  for (let tries = 1; ; tries += 1) {
    const inquiry = cluster.inquire();
    const before = await inquiry.read({ kind: 'auth' });
    requireSeen?.(before);
    const { revision } = before;
    const document = edit(before);
    const command = { kind: 'put-auth', document, revision } as const;
    const { answered, unavailable } = await inquiry.askAll(await inquiry.nodes(), {
      ...command,
      dryRun: true,
    });
    for (const { node, answer } of answered) requireSound(answer, node.nodeId, options);
    if (unavailable.length > 0) {
      const detail = `Not done: whether ${unavailable.join(', ')} could ask so is unknown`;
      throw new ProblemError('node-unavailable', detail, { nothingDone: true });
    }
    if (dryRun) return { document, revision: undefined, before };
    const change = await inquiry.change(command);
    if (change.kind === 'stored') return { document, revision: change.revision, before };
    if (change.kind !== 'conflict') requireSound(change, 'a node', options);
    if (requireSeen !== undefined || tries === TRIES_MAX) {
      throw AUTH_BACKENDS.refused('conflict');
    }
  }
}

/** What is set, without what has gone from the configuration since: a change writes it as it has come to be. */
export function settledOf({ document, backends }: WireAuth): WireAuthDocument {
  const order = backends.map(({ id }) => id);
  const chains = Object.entries(document.chains)
    .map(([listener, ids]) => [listener, ids.filter((id) => order.includes(id))] as const)
    .filter(([, ids]) => ids.length > 0);
  return { backends: document.backends, order, chains: Object.fromEntries(chains) };
}

/** A backend as nodes store it: its settings are named as in their configuration. */
export function madeBackendOf(
  id: string,
  { kind, settings }: Pick<AuthBackendCreate, 'kind' | 'settings'>,
): WireMadeBackend {
  const named = Object.entries(settings).map(([key, value]: [string, unknown]) => [
    camelOf(key),
    isKindOfName(kind, key, value) ? camelOf(value) : value,
  ]);
  return { id, settings: { ...Object.fromEntries(named), kind } };
}

/** The settings of a backend as they were given. */
export function givenSettingsOf({ settings }: WireMadeBackend): {
  readonly kind: string;
  readonly settings: Readonly<Record<string, unknown>>;
} {
  const { kind, ...others } = settings;
  const named = Object.entries(others).map(([key, value]) => [snakeOf(key), value] as const);
  return { kind, settings: shownSettings(kind, Object.fromEntries(named)) };
}

/** A backend as the API shows it. */
export function presentBackend({ id, kind, source, settings }: WireAuthBackend): AuthBackendView {
  return { id, kind, source, settings: shownSettings(kind, settings) };
}

/** A chain as the API shows it. */
export function presentChain(
  { listener, backends, isOwn }: WireAuthChain,
  { anonymous }: Pick<WireAuth, 'anonymous'>,
): AuthChainView {
  return { listener, backends: [...backends], anonymous, own: isOwn };
}

/** The chains of the listeners of a node, once that is set. */
export function chainsBy(
  { order, chains }: WireAuthDocument,
  auth: WireAuth,
): readonly AuthChainView[] {
  return auth.chains.map(({ listener }) => {
    const own = chains[listener];
    const isOwn = own !== undefined;
    return presentChain({ listener, isOwn, backends: own ?? order }, auth);
  });
}

function requireSound(
  answer: WireAuthChange,
  nodeId: string,
  { backend }: Pick<AuthEditOptions, 'backend'>,
): void {
  if (answer.kind === 'open') {
    const detail =
      'The configuration asks nobody, so that everybody may connect: name somebody in auth.chain first';
    throw new ProblemError('conflict', detail);
  }
  if (answer.kind !== 'invalid') return;
  const detail = `${answer.detail} (says ${nodeId})`;
  const [section, , ...rest] = answer.path;
  const isOfBody = section === 'backends' && backend !== undefined;
  const place = isOfBody ? rest.map((key) => snakeOf(key)) : answer.path.slice(-1);
  const pointer = isOfBody ? `/${place.join('/')}` : '';
  const errors = [{ pointer, code: 'invalid', detail: answer.detail }];
  throw new ProblemError('unprocessable', detail, { errors });
}

/** Which name of a certificate is that of the user is the only value of a setting that is a word of ours. */
function isKindOfName(kind: string, key: string, value: unknown): value is string {
  return kind === 'certificate' && key === 'name' && typeof value === 'string';
}

function shownSettings(
  kind: string,
  settings: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { name } = settings;
  return { ...settings, ...(isKindOfName(kind, 'name', name) && { name: snakeOf(name) }) };
}

function snakeOf(key: string): string {
  return key.replaceAll(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`);
}

function camelOf(key: string): string {
  return key.replaceAll(/_([a-z])/gu, (_, letter: string) => letter.toUpperCase());
}
