import { isDeepStrictEqual } from 'node:util';
import {
  AUTH_DOCUMENT_ID,
  type AuthChain,
  type AuthDocument,
  type AuthExchange,
  type AuthSource,
  type Authenticator,
  type Login,
  type LoginVerdict,
  type StoredAuthBackend,
} from '#libs/access';
import type { WireAuthChain, WireAuthChange, WireAuthDocument } from '#libs/api-contracts';
import type { DefinitionStore, Log, StoredDefinition } from '#libs/broker-ports';
import {
  checkRemoteAuthSource,
  type AuthSourceSettings,
  type RemoteAuthPolicy,
} from '#libs/config';

/** A source with the id that it is called by. */
export interface NamedSource {
  readonly id: string;
  readonly settings: AuthSourceSettings;
  readonly source: AuthSource;
}

/** What is wrong with a source that was to be opened; `field` is relative to its settings. */
export interface OpeningFault {
  readonly field: string;
  readonly problem: string;
}

/** A listener, as far as it matters who is asked there. */
export interface AuthListener {
  readonly name: string;
  /** Whether it asks clients for certificates. */
  readonly takesCertificates: boolean;
}

/** What those who are asked are made of. */
export interface AuthSourcesParts {
  /** Of the configuration, in its order. Without any nobody is asked, and everybody may connect. */
  readonly configured: readonly NamedSource[];
  readonly listeners: readonly AuthListener[];
  /** Whether clients that show nothing may connect. */
  readonly anonymous: boolean;
  readonly policy: RemoteAuthPolicy;
  readonly store: Pick<DefinitionStore<AuthDocument>, 'get' | 'put' | 'watch'>;
  /** A chain that asks these sources. */
  readonly chainOf: (sources: readonly AuthSource[]) => AuthChain;
  /** Makes a source that was asked for over REST. */
  readonly open: (
    settings: AuthSourceSettings,
  ) => Promise<AuthSource | { readonly faults: readonly OpeningFault[] }>;
  readonly log: Log;
}

type Invalid = Extract<WireAuthChange, { kind: 'invalid' }>;

/** All that are asked, those of the configuration too; a chain asks one after the other. */
const BACKENDS_MAX = 32;
const ID = /^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$/;
const NOTHING: WireAuthDocument = { backends: [], order: [], chains: {} };
const UNKNOWN = 'who is asked is not known yet';

/**
 * Who is asked who a client is at each listener: as the configuration says, with what was set at run time.
 *
 * @remarks Who is asked is settled when a login begins: one that is under way ends with the chain that it began with. Those whom this node cannot
 * make are not left out, since the next might let in whom they would have kept out: they fail.
 */
export class AuthSources implements Authenticator {
  readonly #parts: AuthSourcesParts;
  #made = new Map<string, NamedSource & { readonly text: string }>();
  #document = NOTHING;
  #common: AuthChain | undefined;
  #chains = new Map<string, AuthChain>();
  #applying: Promise<void> = Promise.resolve();

  constructor(parts: AuthSourcesParts) {
    this.#parts = parts;
  }

  /** Whether the configuration asks nobody, so that everybody may connect. */
  get isOpen(): boolean {
    return this.#parts.configured.length === 0;
  }

  /** Learns what was set at run time, and follows it. Nobody is let in before. */
  async drive(): Promise<void> {
    const { store, log } = this.#parts;
    if (this.isOpen) return;
    try {
      this.#follow((await store.get(AUTH_DOCUMENT_ID))?.item);
      await this.#applying;
    } catch (error) {
      log.warn('auth-unread', { reason: String(error) });
    }
    store.watch((all) => this.#follow(all.find(({ item }) => item.id === AUTH_DOCUMENT_ID)?.item));
  }

  async login(login: Login): Promise<LoginVerdict> {
    const chain = this.#chains.get(login.listener) ?? this.#common;
    if (chain === undefined) return { kind: 'failed', backend: 'anonymous', detail: UNKNOWN };
    return await chain.login(login);
  }

  exchange(method: string, login: Login): AuthExchange | undefined {
    return (this.#chains.get(login.listener) ?? this.#common)?.exchange(method, login);
  }

  /** One of those who are asked on this node. */
  source(id: string): AuthSource | undefined {
    return this.#named(id)?.source;
  }

  /** What is stored at this moment, and who is asked by it. */
  async stored(): Promise<{
    readonly document: WireAuthDocument;
    readonly revision: number;
    readonly order: readonly NamedSourceView[];
    readonly chains: readonly WireAuthChain[];
  }> {
    const found = this.isOpen ? undefined : await this.#parts.store.get(AUTH_DOCUMENT_ID);
    const { backends, order, chains } = found?.item ?? NOTHING;
    const document = { backends, order, chains };
    const views = new Map<string, NamedSourceView>();
    for (const { id, settings } of this.#parts.configured) {
      views.set(id, { id, settings, source: 'config' });
    }
    for (const { id, settings } of backends) {
      const checked = checkRemoteAuthSource(settings, this.#parts.policy);
      const known = checked.kind === 'sound' ? checked.source : (settings as AuthSourceSettings);
      views.set(id, { id, settings: known, source: 'api' });
    }
    return {
      ...{ document, revision: found?.revision ?? 0 },
      order: this.#orderOf(document).flatMap((id) => views.get(id) ?? []),
      chains: this.#parts.listeners.map(({ name }) => this.#chainAt(name, document)),
    };
  }

  /** Whether this node could ask as that says, and every listener would ask somebody who can tell. */
  async check(document: WireAuthDocument): Promise<WireAuthChange> {
    if (this.isOpen) return { kind: 'open' };
    const fault = this.#faultOf(document) ?? (await this.#openingFault(document.backends));
    return fault ?? { kind: 'sound' };
  }

  /** Replaces what was set, if it has this revision and every listener asks somebody by it. */
  async replace(document: WireAuthDocument, revision: number): Promise<WireAuthChange> {
    const checked = await this.check(document);
    if (checked.kind !== 'sound') return checked;
    const item = { id: AUTH_DOCUMENT_ID, ...document } as const;
    const result = await this.#parts.store.put(item, revision === 0 ? undefined : revision);
    if (result.kind !== 'stored') return { kind: 'conflict' };
    return { kind: 'stored', revision: result.stored.revision };
  }

  #follow(document: WireAuthDocument = NOTHING): void {
    const { log } = this.#parts;
    this.#applying = this.#applying
      .then(() => this.#apply(document))
      .catch((error: unknown) => log.error('auth-refused', { reason: String(error) }));
  }

  async #apply(document: WireAuthDocument): Promise<void> {
    if (this.#common !== undefined && isDeepStrictEqual(document, this.#document)) return;
    const made = new Map<string, NamedSource & { readonly text: string }>();
    for (const { id, settings } of document.backends) {
      const text = JSON.stringify(settings);
      const before = this.#made.get(id);
      made.set(id, before?.text === text ? before : await this.#make({ id, settings }, text));
    }
    this.#made = made;
    this.#document = document;
    const chainOf = (ids: readonly string[]): AuthChain =>
      this.#parts.chainOf(ids.flatMap((id) => this.source(id) ?? []));
    // Also of listeners that this node has not yet: they may be made, or enabled, at any time.
    const own = Object.keys(document.chains)
      .map((listener) => this.#chainAt(listener, document))
      .filter(({ isOwn }) => isOwn);
    this.#chains = new Map(own.map(({ listener, backends }) => [listener, chainOf(backends)]));
    const isFirst = this.#common === undefined;
    this.#common = chainOf(this.#orderOf(document));
    if (!isFirst) {
      this.#parts.log.info('auth-changed', { backends: this.#orderOf(document).join(' ') });
    }
  }

  async #make(backend: StoredAuthBackend, text: string) {
    const { id, settings } = backend;
    const checked = checkRemoteAuthSource(settings, this.#parts.policy);
    const opened =
      checked.kind === 'sound'
        ? await this.#parts.open(checked.source)
        : {
            faults: checked.faults.map(({ path, problem }) => ({ field: path.join('.'), problem })),
          };
    const known = checked.kind === 'sound' ? checked.source : (settings as AuthSourceSettings);
    if (!('faults' in opened)) return { id, text, settings: known, source: opened };
    const [fault] = opened.faults;
    const reason = `${fault?.field ?? ''} ${fault?.problem ?? ''}`;
    this.#parts.log.error('auth-backend-refused', { backend: id, reason });
    return { id, text, settings: known, source: failing(known, reason) };
  }

  #named(id: string): NamedSource | undefined {
    return this.#parts.configured.find((each) => each.id === id) ?? this.#made.get(id);
  }

  /** Those of the configuration that nobody has ordered come first. */
  #orderOf({ backends, order }: WireAuthDocument): readonly string[] {
    const configured = this.#parts.configured.map(({ id }) => id);
    const all = [...configured, ...backends.map(({ id }) => id)];
    const ordered = order.filter((id) => all.includes(id));
    const rest = all.filter((id) => !ordered.includes(id));
    const first = rest.filter((id) => configured.includes(id));
    return [...first, ...ordered, ...rest.filter((id) => !first.includes(id))];
  }

  /** A listener all of whose backends have gone from the configuration asks all there are. */
  #chainAt(listener: string, document: WireAuthDocument): WireAuthChain {
    const order = this.#orderOf(document);
    const own = (document.chains[listener] ?? []).filter((id) => order.includes(id));
    const isOwn = own.length > 0;
    return { listener, backends: isOwn ? own : order, isOwn };
  }

  #faultOf(document: WireAuthDocument): Invalid | undefined {
    const { backends, order, chains } = document;
    const configured = this.#parts.configured.map(({ id }) => id);
    const ids = [...configured, ...backends.map(({ id }) => id)];
    if (ids.length > BACKENDS_MAX) {
      return invalid(['backends'], `There may be ${String(BACKENDS_MAX)} backends`);
    }
    for (const [index, { id, settings }] of backends.entries()) {
      const path = ['backends', String(index)];
      if (!ID.test(id) || id === 'order') return invalid([...path, 'id'], 'That is no id');
      if (ids.indexOf(id) !== configured.length + index) {
        return invalid([...path, 'id'], 'Another backend has this id');
      }
      const checked = checkRemoteAuthSource(settings, this.#parts.policy);
      if (checked.kind === 'sound') continue;
      const [fault] = checked.faults;
      return invalid([...path, 'settings', ...(fault?.path ?? [])], fault?.problem ?? '');
    }
    const unordered = listFault(['order'], order, ids);
    if (unordered !== undefined) return unordered;
    const missing = ids.find((id) => !order.includes(id));
    if (missing !== undefined) return invalid(['order'], `The backend ${missing} is missing`);
    for (const [listener, own] of Object.entries(chains)) {
      const path = ['chains', listener];
      if (own.length === 0) return invalid(path, `The listener ${listener} would ask nobody`);
      const fault = listFault(path, own, ids);
      if (fault !== undefined) return fault;
    }
    return this.#lockOut(document);
  }

  /** A listener at which somebody can connect by what is in force, and nobody could by that. */
  #lockOut(document: WireAuthDocument): Invalid | undefined {
    const { listeners, configured, anonymous } = this.#parts;
    if (anonymous) return undefined;
    const isHopeless = (listener: string, of: WireAuthDocument): boolean =>
      this.#chainAt(listener, of).backends.every(
        (id) =>
          (configured.find((each) => each.id === id)?.settings.kind ??
            of.backends.find((each) => each.id === id)?.settings.kind) === 'certificate',
      );
    const found = listeners.find(
      ({ name, takesCertificates }) =>
        !takesCertificates && isHopeless(name, document) && !isHopeless(name, this.#document),
    );
    if (found === undefined) return undefined;
    const path = found.name in document.chains ? ['chains', found.name] : ['order'];
    const detail = `Nobody could connect at the listener ${found.name}: it takes no certificates`;
    return invalid(path, detail);
  }

  /** Makes those that are new, as they are made when they are in force. */
  async #openingFault(backends: readonly StoredAuthBackend[]): Promise<Invalid | undefined> {
    for (const [index, { id, settings }] of backends.entries()) {
      if (this.#made.get(id)?.text === JSON.stringify(settings)) continue;
      const checked = checkRemoteAuthSource(settings, this.#parts.policy);
      if (checked.kind !== 'sound') continue;
      const opened = await this.#parts.open(checked.source);
      if (!('faults' in opened)) continue;
      const [fault] = opened.faults;
      const field = (fault?.field ?? '').split('.');
      return invalid(['backends', String(index), 'settings', ...field], fault?.problem ?? '');
    }
    return undefined;
  }
}

/** A source as it is shown. */
export interface NamedSourceView {
  readonly id: string;
  readonly settings: AuthSourceSettings;
  readonly source: StoredDefinition<unknown>['source'];
}

function listFault(
  path: readonly string[],
  list: readonly string[],
  ids: readonly string[],
): Invalid | undefined {
  for (const [index, id] of list.entries()) {
    const place = [...path, String(index)];
    if (!ids.includes(id)) return invalid(place, `There is no backend ${JSON.stringify(id)}`);
    if (list.indexOf(id) !== index) return invalid(place, `The backend ${id} is named twice`);
  }
  return undefined;
}

function invalid(path: readonly string[], detail: string): Invalid {
  return { kind: 'invalid', path, detail };
}

function failing({ kind }: AuthSourceSettings, reason: string): AuthSource {
  return {
    backend: kind === 'users' || kind === 'stored' ? 'password' : kind,
    login: () => Promise.reject(new Error(`the backend cannot be used here: ${reason}`)),
  };
}
