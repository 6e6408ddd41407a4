import type { FastifyReply, FastifyRequest } from 'fastify';
import { etagOf, namesTag, requireMatch } from './etag.ts';
import { ProblemError } from './problem-error.ts';

/** What is stored of a definition besides itself. */
interface Stored {
  readonly source: 'config' | 'api';
  readonly revision: number;
}

/** What becomes of a change to definitions of any kind, unless they are stored. */
type Refusal = 'conflict' | 'absent' | 'read-only';

/** What rules and bridges have in common over REST: ids, revisions, and the problems of changing them. */
export class Definitions {
  readonly #noun: string;

  /** @param noun - what users call one of them. */
  constructor(noun: string) {
    this.#noun = noun;
  }

  /** @throws ProblemError when a body has another id than the path. */
  requireSame(given: string | undefined, id: string): void {
    if ((given ?? id) === id) return;
    const errors = [{ pointer: '/id', code: 'mismatch', detail: 'Not the id of the path' }];
    throw new ProblemError('validation-failed', 'The id is not that of the path', { errors });
  }

  /** Whether a request asks to create, and never to replace. */
  createsOnly({ headers }: Pick<FastifyRequest, 'headers'>): boolean {
    return headers['if-match'] === undefined && headers['if-none-match'] === '*';
  }

  /** Shows a revision; the view, or nothing with 304 when the caller knows it. */
  shownUnless<View>(
    known: string | undefined,
    { revision, reply }: { readonly revision: number; readonly reply: FastifyReply },
    view: View,
  ): View | undefined {
    void reply.header('etag', etagOf(revision));
    if (known === undefined || !namesTag(known, etagOf(revision))) return view;
    void reply.status(304);
    return undefined;
  }

  /** One that may be changed, and of which its author has seen this revision. @throws ProblemError otherwise. */
  own<Item extends Stored>(stored: Item | undefined, ifMatch: string | undefined): Item {
    if (stored === undefined) throw this.refused('absent');
    if (stored.source === 'config') throw this.refused('read-only');
    requireMatch(ifMatch, stored.revision);
    return stored;
  }

  /** The problem of creating one whose id is taken. */
  exists(): ProblemError {
    return new ProblemError('already-exists', `A ${this.#noun} with this id exists`);
  }

  /** The problem of a change that was refused. */
  refused(kind: Refusal): ProblemError {
    const noun = this.#noun;
    switch (kind) {
      case 'conflict':
        return new ProblemError(
          'precondition-failed',
          `The ${noun} has changed, or exists already`,
        );
      case 'absent':
        return new ProblemError('not-found', `There is no ${noun} with this id`);
      case 'read-only':
        return new ProblemError(
          'conflict',
          `A ${noun} of the configuration cannot be changed over REST`,
        );
    }
  }
}
