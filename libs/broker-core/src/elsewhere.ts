import { REASON, type ReasonCode } from '#libs/mqtt-codec';

/** Where clients are told to go that cannot be served, and whether all that come are told so. */
export class Elsewhere {
  /** Whether clients that come are told to go elsewhere. */
  isOn = false;
  readonly #usual: string | undefined;
  #present: string | undefined;

  /** @param usual - host:port of other nodes; undefined where there is nothing to tell. */
  constructor(usual: string | undefined) {
    this.#usual = usual;
  }

  /** Told with the reasons that send a client to another server. */
  get reference(): string | undefined {
    return this.#present ?? this.#usual;
  }

  /** Why a client is not served. */
  get reasonCode(): ReasonCode {
    return this.reference === undefined ? REASON.serverBusy : REASON.useAnotherServer;
  }

  /** From now on all that come are told so, or no more. @param reference - where to go meanwhile; the usual if absent. */
  turn(isOn: boolean, reference?: string): void {
    this.isOn = isOn;
    this.#present = isOn ? reference : undefined;
  }
}
