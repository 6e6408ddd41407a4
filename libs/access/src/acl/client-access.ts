import type { Principal } from '../principal.ts';
import {
  publishSlot,
  subscribeSlot,
  type Acl,
  type AccessVerdict,
  type PrincipalAcl,
} from './acl.ts';
import type { AclRule } from './acl-rule.ts';

/** What a connection remembers: so many topics, and characters of them. */
const CACHE_TOPICS_MAX = 1_024;
const CACHE_CHARACTERS_MAX = 65_536;
/** Below the bits that say whether a slot is allowed stand those that say whether that is known. */
const ALLOWED_SHIFT = 9;

/** What rules and groups a user has, besides the general rules. */
export interface UserAccess {
  readonly groups: readonly string[];
  readonly rules: readonly AclRule[];
}

/** The access control of a node as it is now: replaced as a whole, and everybody who asks sees it at once. */
export class AccessControl {
  #acl: Acl;
  #version = 0;

  constructor(acl: Acl) {
    this.#acl = acl;
  }

  get acl(): Acl {
    return this.#acl;
  }

  /** Changes with every {@link replace}: verdicts of an earlier one count no more. */
  get version(): number {
    return this.#version;
  }

  /** Sets other general rules. */
  replace(acl: Acl): void {
    this.#acl = acl;
    this.#version += 1;
  }

  /** The access of a client that has just connected. */
  admit(principal: Principal): ClientAccess {
    return new ClientAccess(this, principal);
  }
}

/**
 * What one connection may do, with the verdicts that it has had.
 *
 * @remarks The memory is bounded; when it is full it begins anew. A verdict that is remembered allocates nothing.
 */
export class ClientAccess {
  readonly #control: AccessControl;
  #principal: Principal;
  #version = -1;
  #acl: PrincipalAcl | undefined;
  /** By topic: which slots are known, and which of them are allowed. */
  #known: Map<string, number> | undefined;
  #characters = 0;
  /** Whether the last verdict was remembered; for the metrics. */
  wasCached = false;

  constructor(control: AccessControl, principal: Principal) {
    this.#control = control;
    this.#principal = principal;
  }

  get principal(): Principal {
    return this.#principal;
  }

  /** The client is known by other groups or rules from now on. */
  set principal(principal: Principal) {
    this.#principal = principal;
    this.#forget();
  }

  /** Whether the client may publish to a topic, by the broker's name. */
  mayPublish(topic: string, qos: 0 | 1 | 2, retain: boolean): boolean {
    return this.#allows(topic, publishSlot(qos, retain));
  }

  /** Whether a message on a topic may go to the client. */
  mayReceive(topic: string, qos: 0 | 1 | 2): boolean {
    return this.#allows(topic, subscribeSlot(qos));
  }

  /** Whether the client may subscribe; never remembered, for it is asked once. */
  subscribe(filter: string, qos: 0 | 1 | 2): AccessVerdict {
    return this.#current().decide({ kind: 'subscribe', filter, qos });
  }

  /** The verdicts that are remembered. */
  *remembered(): IterableIterator<{
    readonly topic: string;
    readonly request: { readonly kind: 'publish' | 'receive'; readonly qos: 0 | 1 | 2 };
    readonly retain: boolean | undefined;
    readonly isAllowed: boolean;
  }> {
    if (this.#version !== this.#control.version) return;
    for (const [topic, known] of this.#known ?? []) {
      for (const qos of [0, 1, 2] as const) {
        const slots = [
          { kind: 'publish', retain: false, slot: publishSlot(qos, false) },
          { kind: 'publish', retain: true, slot: publishSlot(qos, true) },
          { kind: 'receive', retain: undefined, slot: subscribeSlot(qos) },
        ] as const;
        for (const { kind, retain, slot } of slots) {
          if ((known & (1 << slot)) === 0) continue;
          const isAllowed = (known & (1 << (slot + ALLOWED_SHIFT))) !== 0;
          yield { topic, request: { kind, qos }, retain, isAllowed };
        }
      }
    }
  }

  /** Forgets every verdict: each is asked for anew. */
  forget(): void {
    this.#forget();
  }

  #allows(topic: string, slot: number): boolean {
    const onAll = this.#current().verdictOnAll;
    if (onAll !== undefined) {
      this.wasCached = true;
      return onAll;
    }
    const known = this.#known?.get(topic) ?? 0;
    const bit = 1 << slot;
    this.wasCached = (known & bit) !== 0;
    if (this.wasCached) return (known & (bit << ALLOWED_SHIFT)) !== 0;
    const isAllowed = this.#current().allows(topic, slot);
    this.#remember(topic, known | bit | (isAllowed ? bit << ALLOWED_SHIFT : 0));
    return isAllowed;
  }

  #current(): PrincipalAcl {
    if (this.#version !== this.#control.version) this.#forget();
    return (this.#acl ??= this.#control.acl.for(this.#principal));
  }

  #remember(topic: string, slots: number): void {
    const known = (this.#known ??= new Map());
    if (!known.has(topic)) {
      const isFull =
        known.size >= CACHE_TOPICS_MAX || this.#characters + topic.length > CACHE_CHARACTERS_MAX;
      if (isFull) {
        known.clear();
        this.#characters = 0;
      }
      this.#characters += topic.length;
    }
    known.set(topic, slots);
  }

  #forget(): void {
    this.#version = this.#control.version;
    this.#acl = undefined;
    this.#known = undefined;
    this.#characters = 0;
  }
}
