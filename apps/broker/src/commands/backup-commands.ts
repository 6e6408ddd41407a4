import type {
  BackupAnswers,
  BackupCommand,
  CommandOf,
  WireDelayedRestored,
  WireRetainedRestored,
  WireSavedSession,
  WireSessionRestored,
} from '#libs/api-contracts';
import {
  decodeMessage,
  encodeMessage,
  type DelayedStore,
  type DelayedMessage,
  type Message,
  type NodeAdmin,
  type QueuedMessage,
  type RetainedStore,
  type SessionStore,
} from '#libs/broker-ports';
import { base64 } from './wire.ts';
import { SavedSessions } from './saved-sessions.ts';
import { SessionParts, draftOf, queuedOf } from './session-parts.ts';

/** What commands of backups work on. */
export interface BackupCommandsOptions {
  readonly admin: { readonly sessions: Pick<NodeAdmin['sessions'], 'restore'> };
  readonly sessions: Pick<SessionStore, 'owners' | 'ownedBy' | 'load' | 'read'>;
  readonly retained: Pick<RetainedStore, 'match' | 'dollarLevels' | 'store'>;
  readonly delayed: Pick<DelayedStore, 'page' | 'add'>;
  /** Undefined where delayed publish is switched off. */
  readonly delays: { readonly messagesMax: number; readonly bytesMax: number } | undefined;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

/** A page ends after this many bytes of messages, and holds one at least. */
const PAGE_BYTES_MAX = 1024 * 1024;
const DELAYED_PAGE = 500;
/** Sessions, or retained messages, that are looked after at once. */
const AT_ONCE = 25;
/** A listing that nobody asks for any more is forgotten. */
const LISTING_IDLE_MS = 120_000;

/** Retained messages, of which some have been given already. */
interface RetainedListing {
  readonly name: string;
  readonly pieces: AsyncIterator<readonly Message[]>;
  /** A piece that was read, and how much of it was given. */
  waiting: readonly Message[];
  given: number;
  page: number;
  latest: BackupAnswers['backup-retained'];
  timer: NodeJS.Timeout;
}

/** What a backup reads of this node's stores, and what is restored here. */
export class BackupCommands {
  readonly #options: BackupCommandsOptions;
  readonly #saved: SavedSessions;
  readonly #parts: SessionParts;
  #retained: RetainedListing | undefined;

  constructor(options: BackupCommandsOptions) {
    this.#options = options;
    this.#saved = new SavedSessions(options.sessions);
    this.#parts = new SessionParts(options.admin.sessions);
  }

  /** Carries out a command of this group. */
  answer(command: BackupCommand): Promise<BackupAnswers[BackupCommand['kind']]> {
    switch (command.kind) {
      case 'backup-sessions':
        return this.#saved.page(command);
      case 'backup-queue':
        return this.#saved.rest(command);
      case 'backup-session':
        return this.#saved.one(command.clientId).then((item) => ({ item }));
      case 'backup-retained':
        return this.#retainedPage(command);
      case 'backup-delayed':
        return this.#delayedPage(command);
      case 'restore-sessions':
        return this.#restoreSessions(command);
      case 'restore-session-part':
        return this.#parts.add(command);
      case 'restore-retained':
        return this.#restoreRetained(command);
      case 'restore-delayed':
        return this.#restoreDelayed(command);
    }
  }

  async #retainedPage({
    listing: name,
    page,
  }: CommandOf<'backup-retained'>): Promise<BackupAnswers['backup-retained']> {
    if (page === 0 && this.#retained?.name !== name) this.#list(name);
    const listing = this.#retained;
    if (listing?.name !== name) return LOST;
    listing.timer.refresh();
    if (page === listing.page) return listing.latest;
    if (page !== listing.page + 1) return LOST;
    const messages: string[] = [];
    let bytes = 0;
    while (bytes < PAGE_BYTES_MAX) {
      const message = listing.waiting[listing.given];
      if (message === undefined) {
        const next = await listing.pieces.next();
        if (next.done === true) break;
        listing.waiting = next.value;
        listing.given = 0;
        continue;
      }
      const text = base64(encodeMessage(message));
      if (messages.length > 0 && bytes + text.length > PAGE_BYTES_MAX) break;
      messages.push(text);
      bytes += text.length;
      listing.given += 1;
    }
    listing.page = page;
    const isLast = messages.length === 0;
    listing.latest = { kind: 'page', messages, hasMore: !isLast };
    return listing.latest;
  }

  #list(name: string): void {
    this.#forget();
    const timer = setTimeout(() => this.#forget(), LISTING_IDLE_MS).unref();
    const pieces = allOf(this.#options.retained);
    this.#retained = { name, pieces, waiting: [], given: 0, page: -1, latest: LOST, timer };
  }

  #forget(): void {
    clearTimeout(this.#retained?.timer);
    this.#retained = undefined;
  }

  async #delayedPage({
    after,
  }: CommandOf<'backup-delayed'>): Promise<BackupAnswers['backup-delayed']> {
    const page = await this.#options.delayed.page({ after, limit: DELAYED_PAGE });
    const items = page.items.map(({ dueAtMs, message }) => ({
      ...{ dueAtMs, message: base64(encodeMessage(message)) },
    }));
    return { items, next: page.next };
  }

  async #restoreSessions({
    sessions,
    replaces,
    dryRun,
  }: CommandOf<'restore-sessions'>): Promise<BackupAnswers['restore-sessions']> {
    const restore = (item: Pick<WireSavedSession, 'session' | 'queue'>) =>
      dryRun ? this.#tryOne(item, replaces) : this.#restoreOne(item, replaces);
    return { outcomes: await inGroups(sessions, restore) };
  }

  async #restoreOne(
    { session, queue }: Pick<WireSavedSession, 'session' | 'queue'>,
    replaces: boolean,
  ): Promise<WireSessionRestored> {
    const messages = queuedOf(queue);
    if (messages === undefined) return { kind: 'unreadable' };
    const { sessions } = this.#options.admin;
    return sessions.restore({ draft: draftOf(session), queue: once(messages), replaces });
  }

  /** What would come of it, as far as the store says. */
  async #tryOne(
    { session, queue }: Pick<WireSavedSession, 'session' | 'queue'>,
    replaces: boolean,
  ): Promise<WireSessionRestored> {
    const { sessions, nowMs } = this.#options;
    const { clientId, expiresAtMs, user } = session;
    if (queuedOf(queue) === undefined) return { kind: 'unreadable' };
    if (expiresAtMs > 0 && expiresAtMs <= nowMs()) return { kind: 'expired' };
    const record = await sessions.load(clientId);
    if (record === undefined) return { kind: 'restored' };
    if (record.connected) return { kind: 'connected' };
    if (!replaces) return { kind: 'present' };
    const isForeign = user !== undefined && record.user !== undefined && user !== record.user;
    return { kind: isForeign ? 'foreign' : 'restored' };
  }

  async #restoreRetained({
    messages,
    replaces,
    dryRun,
  }: CommandOf<'restore-retained'>): Promise<BackupAnswers['restore-retained']> {
    const wanted: Message[] = [];
    const outcomes = await inGroups(messages, async (text): Promise<WireRetainedRestored> => {
      const bytes = Buffer.from(text, 'base64');
      const message = decodeMessage(bytes);
      if (message === undefined || !message.retain) return 'unreadable';
      const { expiresAtMs } = message;
      if (expiresAtMs > 0 && expiresAtMs <= this.#options.nowMs()) return 'expired';
      const known = await this.#retainedAt(message.topic);
      if (known !== undefined && Buffer.from(encodeMessage(known)).equals(bytes)) {
        return 'unchanged';
      }
      if (known !== undefined && !replaces) return 'present';
      wanted.push(message);
      return 'restored';
    });
    if (!dryRun && wanted.length > 0) await this.#options.retained.store(wanted);
    return { outcomes };
  }

  async #retainedAt(topic: string): Promise<Message | undefined> {
    for await (const [message] of this.#options.retained.match(topic)) return message;
    return undefined;
  }

  async #restoreDelayed({
    items,
    dryRun,
  }: CommandOf<'restore-delayed'>): Promise<BackupAnswers['restore-delayed']> {
    const { delayed, delays, nowMs } = this.#options;
    const messages = items.map(({ message }) => decodeMessage(Buffer.from(message, 'base64')));
    const wanted: DelayedMessage[] = [];
    for (const [at, { dueAtMs }] of items.entries()) {
      const message = messages[at];
      if (message) wanted.push({ message, delayMs: Math.max(dueAtMs - nowMs(), 0) });
    }
    const isOn = delays !== undefined;
    const stored = isOn && !dryRun ? await delayed.add(wanted, delays) : [];
    const outcomes = stored.values();
    return {
      outcomes: messages.map((message): WireDelayedRestored => {
        if (message === undefined) return 'unreadable';
        if (!isOn) return 'disabled';
        const { value: outcome = 'stored' } = outcomes.next();
        if (outcome === 'stored') return 'restored';
        return outcome === 'repeat' ? 'unchanged' : 'full';
      }),
    };
  }
}

const LOST = { kind: 'lost', messages: [], hasMore: false } as const;

async function* once(
  queue: readonly QueuedMessage[],
): AsyncGenerator<readonly QueuedMessage[], void, undefined> {
  if (queue.length > 0) yield queue;
}

async function inGroups<Item, Outcome>(
  items: readonly Item[],
  each: (item: Item) => Promise<Outcome>,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (let from = 0; from < items.length; from += AT_ONCE) {
    outcomes.push(...(await Promise.all(items.slice(from, from + AT_ONCE).map(each))));
  }
  return outcomes;
}

async function* allOf(
  retained: Pick<RetainedStore, 'match' | 'dollarLevels'>,
): AsyncGenerator<readonly Message[], void, undefined> {
  yield* retained.match('#');
  for (const level of await retained.dollarLevels()) yield* retained.match(`${level}/#`);
}
