import type { Principal } from './principal.ts';

const PLACEHOLDER = /\$\{(username|cert\.cn)\}/gu;

/** A client id that clients may have, taken apart. */
interface Template {
  readonly text: string;
  /** Whether anything may follow. */
  readonly isOpen: boolean;
}

/**
 * Which client ids a client may have. A session is known by its client id: whoever may have any may take over the sessions
 * of others.
 */
export class ClientIdRule {
  readonly #templates: readonly Template[];

  /**
   * @param templates - one of them has to fit. `${username}` and `${cert.cn}` stand for what a client has proven, a `*` at the
   * end for anything.
   */
  constructor(templates: readonly string[]) {
    this.#templates = templates.map((whole) => {
      const isOpen = whole.endsWith('*');
      return { isOpen, text: isOpen ? whole.slice(0, -1) : whole };
    });
  }

  /** Whether a client that has proven who it is may have its client id. */
  admits(principal: Pick<Principal, 'user' | 'clientId' | 'certificate'>): boolean {
    const { user, clientId, certificate } = principal;
    return this.#templates.some(({ text, isOpen }) => {
      let isKnown = true;
      const wanted = text.replace(PLACEHOLDER, (_, field: string) => {
        const value = field === 'username' ? user : certificate?.commonName;
        if (value === undefined || value === '') isKnown = false;
        return value ?? '';
      });
      return isKnown && (isOpen ? clientId.startsWith(wanted) : clientId === wanted);
    });
  }
}
