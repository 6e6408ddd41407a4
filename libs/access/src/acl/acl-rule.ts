/** What a rule says. */
export type AclEffect = 'allow' | 'deny';

/** What a rule is for. Whoever may subscribe to a topic may receive it. */
export type AclAction = 'publish' | 'subscribe';

/** The clients that a rule is for: every list that is there has to name the client. */
export interface AclSubjects {
  readonly users?: readonly string[];
  readonly clientIds?: readonly string[];
  /** One of them is enough. */
  readonly groups?: readonly string[];
  /** Addresses and networks, as {@link AddressRange} reads them. */
  readonly addresses?: readonly string[];
}

/** One rule of an access control list: the first that fits decides. */
export interface AclRule {
  /** Named where somebody asks which rule has decided. */
  readonly id?: string;
  readonly effect: AclEffect;
  /** Everybody, when absent. */
  readonly who?: AclSubjects;
  readonly actions: readonly AclAction[];
  /**
   * Topic filters without prefix, in which `${clientid}`, `${username}` and `${cert.cn}` may stand for what is known of the client.
   * A value that is unknown, empty, or holds `+`, `#` or `/` matches nothing.
   */
  readonly topics: readonly string[];
  /** QoS of the PUBLISH, asked for by SUBSCRIBE, or of the delivery; any, when absent. */
  readonly qos?: readonly (0 | 1 | 2)[];
  /** The RETAIN flag of the PUBLISH; any, when absent. Only for publishing. */
  readonly retain?: boolean;
}
