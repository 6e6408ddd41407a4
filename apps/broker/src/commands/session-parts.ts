import type {
  BackupAnswers,
  CommandOf,
  WireBackupQueued,
  WireBackupSession,
  WireSessionRestored,
} from '#libs/api-contracts';
import {
  decodeQueued,
  type NodeAdmin,
  type QueuedMessage,
  type SessionDraft,
} from '#libs/broker-ports';
import { QueueFeed } from './queue-feed.ts';

/** A session that nobody brings the rest of is not restored. */
const PART_WAIT_MS = 20_000;
/** Sessions that come in pieces at a time. */
const OPEN_MAX = 16;

interface Open {
  readonly feed: QueueFeed;
  readonly outcome: Promise<WireSessionRestored>;
  readonly timer: NodeJS.Timeout;
}

/** A session as this node's sessions take it. */
export function draftOf({ user, ...session }: WireBackupSession): SessionDraft {
  return { ...session, ...(user !== undefined && { user }) };
}

/** The messages of a part of a queue; undefined when one is in no form that this node knows, or out of order. */
export function queuedOf(queue: readonly WireBackupQueued[]): readonly QueuedMessage[] | undefined {
  const messages: QueuedMessage[] = [];
  let last = 0;
  for (const [sequence, text] of queue) {
    const queued = decodeQueued(Buffer.from(text, 'base64'), { epoch: 0, sequence });
    if (queued === undefined || sequence <= last) return undefined;
    messages.push(queued);
    last = sequence;
  }
  return messages;
}

/** Sessions whose queues are too large for one command. */
export class SessionParts {
  readonly #sessions: Pick<NodeAdmin['sessions'], 'restore'>;
  readonly #open = new Map<string, Open>();

  constructor(sessions: Pick<NodeAdmin['sessions'], 'restore'>) {
    this.#sessions = sessions;
  }

  /** Takes a piece; resolves when there is room for the next one, or with what came of the session. */
  async add(
    command: CommandOf<'restore-session-part'>,
  ): Promise<BackupAnswers['restore-session-part']> {
    const { token, queue, isLast } = command;
    const open = this.#open.get(token) ?? this.#begin(command);
    if (open === undefined) return { outcome: { kind: 'failed' } };
    open.timer.refresh();
    const messages = queuedOf(queue);
    if (messages === undefined) open.feed.fail(new Error('a message cannot be read'));
    else {
      const pushed = open.feed.push(messages).then(() => undefined);
      const early = await Promise.race([pushed, open.outcome]);
      if (early !== undefined) return { outcome: early };
      if (!isLast) return {};
      open.feed.end();
    }
    return { outcome: await open.outcome };
  }

  #begin({
    token,
    session,
    replaces,
  }: Pick<CommandOf<'restore-session-part'>, 'token' | 'session' | 'replaces'>): Open | undefined {
    if (session === undefined || this.#open.size >= OPEN_MAX) return undefined;
    const feed = new QueueFeed();
    const timer = setTimeout(() => feed.fail(new Error('nothing follows')), PART_WAIT_MS).unref();
    const outcome = this.#sessions
      .restore({ draft: draftOf(session), queue: feed, replaces })
      .finally(() => {
        clearTimeout(timer);
        this.#open.delete(token);
      });
    // Whoever brings the next piece is told.
    outcome.catch(() => undefined);
    const open = { feed, outcome, timer };
    this.#open.set(token, open);
    return open;
  }
}
