import type { AuthExchange, AuthStep } from '#libs/access';
import { REASON, type AuthPacket, type ReasonCode } from '#libs/mqtt-codec';

/** How an exchange ended, or that it could not be carried on. */
export type AuthVerdict =
  | Exclude<AuthStep, { readonly kind: 'continue' }>
  | { readonly kind: 'error'; readonly detail: string };

/** What the authentication of a client asks of those who own it. */
export interface AuthenticationOutput {
  /** Gives a new exchange of a method, or undefined when it is not offered. */
  exchange(method: string): AuthExchange | undefined;
  /** Ask the client to go on. */
  challenge(method: string, data: Uint8Array | undefined): void;
  decided(verdict: AuthVerdict): void;
  /** The client has broken a rule of AUTH. */
  violated(reasonCode: ReasonCode, detail: string): void;
}

/** Enhanced authentication of one connection (MQTT 5, section 4.12): before CONNACK, and again whenever the client asks. */
export class Authentication {
  /** The method that the CONNECT has named; it stays [MQTT-4.12.0-5]. */
  readonly method: string;
  readonly #output: AuthenticationOutput;
  #exchange: AuthExchange | undefined;
  #isDeciding = false;
  #beganAtMs = 0;

  constructor(method: string, output: AuthenticationOutput) {
    this.method = method;
    this.#output = output;
  }

  /** Begins with the data of CONNECT. */
  begin(data: Uint8Array | undefined, nowMs: number): void {
    const exchange = this.#output.exchange(this.method);
    if (exchange === undefined) {
      const detail = 'the authentication method is not offered';
      return this.#output.violated(REASON.badAuthenticationMethod, detail);
    }
    this.#beganAtMs = nowMs;
    this.#step(exchange, data);
  }

  /** Takes an AUTH packet of the client. */
  handle({ reasonCode, properties }: AuthPacket, nowMs: number): void {
    const method = properties?.authenticationMethod;
    const data = properties?.authenticationData;
    if (method === undefined) return this.#violated('AUTH without a method');
    if (method !== this.method) {
      const detail = 'AUTH of another method [MQTT-4.12.0-5]';
      return this.#output.violated(REASON.badAuthenticationMethod, detail);
    }
    if (this.#isDeciding) return this.#violated('AUTH before the answer to the last one');
    if (reasonCode === REASON.reAuthenticate && this.#exchange === undefined) {
      return this.begin(data, nowMs);
    }
    // [MQTT-4.12.0-3]
    if (reasonCode === REASON.continueAuthentication && this.#exchange !== undefined) {
      return this.#step(this.#exchange, data);
    }
    this.#violated('AUTH that nothing asked for');
  }

  /** Whether the client has not brought to its end what it began before a moment. */
  isOverdue(sinceMs: number): boolean {
    return this.#exchange !== undefined && this.#beganAtMs < sinceMs;
  }

  #step(exchange: AuthExchange, data: Uint8Array | undefined): void {
    this.#exchange = exchange;
    this.#isDeciding = true;
    exchange.step(data).then(
      (step) => this.#answered(step),
      (error: unknown) => this.#end({ kind: 'error', detail: String(error) }),
    );
  }

  #answered(step: AuthStep): void {
    if (step.kind !== 'continue') return this.#end(step);
    this.#isDeciding = false;
    this.#output.challenge(this.method, step.data);
  }

  #end(verdict: AuthVerdict): void {
    this.#isDeciding = false;
    this.#exchange = undefined;
    this.#output.decided(verdict);
  }

  #violated(detail: string): void {
    this.#output.violated(REASON.protocolError, detail);
  }
}
