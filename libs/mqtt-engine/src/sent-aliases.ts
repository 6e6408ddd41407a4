/** A topic alias towards a client, for one PUBLISH. */
export interface SentAlias {
  readonly number: number;
  /** Whether the client knows the alias, so that the topic may be left out. */
  readonly isKnown: boolean;
}

/** An alias takes three bytes: shorter topics are sent as they are. */
const TOPIC_LENGTH_MIN = 4;

/**
 * The topic aliases set towards one client on one connection, as it allows [MQTT-3.1.2-26].
 *
 * @remarks The first topics get them and keep them: an alias that changes hands would be told again each time.
 */
export class SentAliases {
  readonly #numbers = new Map<string, number>();
  readonly #max: number;

  /** @param max - the client's Topic Alias Maximum, or our own bound if that is lower. */
  constructor(max: number) {
    this.#max = max;
  }

  /** The alias to send a topic with; undefined when it has none and gets none. */
  aliasOf(topic: string): SentAlias | undefined {
    const number = this.#numbers.get(topic);
    if (number !== undefined) return { number, isKnown: true };
    if (this.#numbers.size >= this.#max || topic.length < TOPIC_LENGTH_MIN) return undefined;
    return { number: this.#numbers.size + 1, isKnown: false };
  }

  /** The PUBLISH that tells the client of a new alias goes out. */
  tell(topic: string, { number }: SentAlias): void {
    this.#numbers.set(topic, number);
  }
}
