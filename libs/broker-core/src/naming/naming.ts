import { REASON, type ReasonCode } from '#libs/mqtt-codec';
import type { ConnectionTerms } from '#libs/mqtt-engine';
import { topicNameFault } from '#libs/topic-index';
import { ClientNames } from './client-names.ts';
import { NameTemplate, identityOf, type ClientIdentity } from './name-template.ts';
import { TopicRewriter, type RewriteRule } from './topic-rewriter.ts';

/** The terms of a connection with the broker's names, and the client's names if they are not the broker's. */
export type Named =
  | {
      readonly kind: 'named';
      readonly terms: ConnectionTerms;
      readonly names: ClientNames | undefined;
    }
  | { readonly kind: 'refused'; readonly reasonCode: ReasonCode; readonly detail: string };

/** Gives each connecting client its names: those that the rewrite rules and the mountpoint of its listener make. */
export class Naming {
  readonly #rewriter: TopicRewriter | undefined;
  readonly #topicLevelsMax: number;
  readonly #mountpoints = new Map<string, NameTemplate>();

  constructor(rules: readonly RewriteRule[], topicLevelsMax: number) {
    this.#rewriter = rules.length > 0 ? new TopicRewriter(rules) : undefined;
    this.#topicLevelsMax = topicLevelsMax;
  }

  /** @param host - the address that the client connects from. */
  name(terms: ConnectionTerms, host: string): Named {
    const { clientId, username, will, rules } = terms;
    if (this.#rewriter === undefined && rules.mountpoint === undefined) {
      return { kind: 'named', terms, names: undefined };
    }
    const identity = identityOf(clientId, username, host);
    const mountpoint = this.#mountpointOf(rules.mountpoint, identity);
    if (mountpoint === undefined) return misfit(identity);
    const names = new ClientNames({ rewriter: this.#rewriter, mountpoint, identity });
    const mounted = mountpoint === '' ? terms : { ...terms, mountpoint };
    if (will === undefined) return { kind: 'named', terms: mounted, names };
    const named = names.will(will);
    const fault = topicNameFault(named.topic, this.#topicLevelsMax);
    if (fault !== undefined) {
      return { kind: 'refused', reasonCode: REASON.topicNameInvalid, detail: fault };
    }
    return { kind: 'named', terms: { ...mounted, will: named }, names };
  }

  #mountpointOf(text: string | undefined, identity: ClientIdentity): string | undefined {
    if (text === undefined) return '';
    let template = this.#mountpoints.get(text);
    if (template === undefined) {
      template = new NameTemplate(text);
      this.#mountpoints.set(text, template);
    }
    return template.fill(identity);
  }
}

/** A mountpoint parts clients from each other: who cannot be told apart by it gets no names. */
function misfit({ clientId }: ClientIdentity): Named {
  const detail = 'the client id or user name does not fit into the mountpoint of the listener';
  const isClientId = clientId === undefined;
  const reasonCode = isClientId ? REASON.clientIdentifierNotValid : REASON.badUserNameOrPassword;
  return { kind: 'refused', reasonCode, detail };
}
