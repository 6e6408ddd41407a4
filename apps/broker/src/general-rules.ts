import { ACL_DOCUMENT_ID, Acl, type AclDocument, type AclEffect, type AclRule } from '#libs/access';
import type { DefinitionStore, DefinitionWriteResult, Log } from '#libs/broker-ports';

/** What general rules are made of. */
export interface GeneralRulesOptions {
  /** Of the configuration. They come first: whoever writes it has the machine, and no API key lifts what it denies. */
  readonly configured: readonly AclRule[];
  /** What counts where no rule fits. */
  readonly fallback: AclEffect;
  readonly store: Pick<DefinitionStore<AclDocument>, 'get' | 'put' | 'watch'>;
  readonly log: Log;
}

/** The general rules that were set at run time. */
export interface StoredRules {
  readonly rules: readonly AclRule[];
  /** 0 when there have been none. */
  readonly revision: number;
}

/** The general rules of a node: those of the configuration, and behind them those that are set at run time. */
export class GeneralRules {
  readonly configured: readonly AclRule[];
  readonly fallback: AclEffect;
  readonly #store: GeneralRulesOptions['store'];
  readonly #log: Log;

  constructor({ configured, fallback, store, log }: GeneralRulesOptions) {
    this.configured = configured;
    this.fallback = fallback;
    this.#store = store;
    this.#log = log;
  }

  /** Keeps a node at work with them; a list that cannot be, as of another release, leaves the one before in force. */
  drive(node: { setAcl(acl: Acl): void }): void {
    this.#store.watch((stored) => {
      const rules = stored.find(({ item }) => item.id === ACL_DOCUMENT_ID)?.item.rules ?? [];
      try {
        node.setAcl(this.#listOf(rules));
      } catch (error) {
        this.#log.error('acl-refused', { reason: String(error) });
      }
    });
  }

  /** Those set at run time, as they are stored at this moment. */
  async stored(): Promise<StoredRules> {
    const found = await this.#store.get(ACL_DOCUMENT_ID);
    return found === undefined
      ? { rules: [], revision: 0 }
      : { rules: found.item.rules, revision: found.revision };
  }

  /** Replaces those set at run time, if they have this revision. */
  async replace(
    rules: readonly AclRule[],
    revision: number,
  ): Promise<
    DefinitionWriteResult<AclDocument> | { readonly kind: 'invalid'; readonly detail: string }
  > {
    try {
      this.#listOf(rules);
    } catch (error) {
      return { kind: 'invalid', detail: error instanceof Error ? error.message : String(error) };
    }
    const item = { id: ACL_DOCUMENT_ID, rules } as const;
    return this.#store.put(item, revision === 0 ? undefined : revision);
  }

  #listOf(rules: readonly AclRule[]): Acl {
    return new Acl([...this.configured, ...rules], this.fallback);
  }
}
