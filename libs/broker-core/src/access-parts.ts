import type { AccessControl } from '#libs/access';

/** What becomes of a PUBLISH of QoS 1 or 2 that is denied to a client that cannot be told so. */
export type DeniedPublish = 'acknowledge' | 'close';

/** Access control of a node. */
export interface AccessParts {
  readonly control: AccessControl;
  /** For MQTT 3.1 and 3.1.1, which know no refusal (MQTT 3.1.1, section 3.3.5). */
  readonly deniedPublish: DeniedPublish;
}
